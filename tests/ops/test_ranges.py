"""A number out of its range is refused by the functions as by the layers, alone or in a tensor."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.activation import MaxSpike, MembraneReset, MembraneSubtract, SingleSpike
from picojoule.layers import ALIF, LIF
from picojoule.ops import alif, lif

OPS: dict[str, Callable[..., Any]] = {
    "lif": lambda **given: lif(torch.rand(2, 3, 2), **{"alpha_mem": 0.9, **given}),
    "alif": lambda **given: alif(
        torch.rand(2, 3, 2), **{"alpha_mem": 0.9, "alpha_adapt": 0.9, **given}
    ),
}
INF, NAN = math.inf, math.nan
BAD = {
    "alpha_mem": [0.0, -0.1, 1.1, INF, NAN],
    "alpha_syn": [0.0, -0.1, 1.1, INF, NAN],
    "threshold": [0.0, -1.0, INF, -INF, NAN],
    "min_v_mem": [INF, NAN],
    "alpha_adapt": [0.0, 1.1, NAN],
    "adapt_scale": [INF, -INF, NAN],
}
GOOD = {
    "alpha_mem": 1.0,
    "alpha_syn": 1.0,
    "threshold": 1e-3,
    "min_v_mem": -INF,
    "adapt_scale": -1.0,
}
CASES = [
    (op, name, value)
    for op in OPS
    for name, values in BAD.items()
    for value in values
    if op == "alif" or "adapt" not in name
]
FORMS: dict[str, Callable[[float, str], Any]] = {
    "number": lambda x, name: x,
    "scalar": lambda x, name: torch.tensor(x),
    "double": lambda x, name: torch.tensor(x, dtype=torch.float64),
    "of one neuron": lambda x, name: torch.tensor([GOOD.get(name, 1.0), x]),
    "parameter": lambda x, name: nn.Parameter(torch.tensor([x, GOOD.get(name, 1.0)])),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("op", "name", "value"), CASES)
def test_a_function_refuses_it_by_name(op: str, name: str, value: float, form: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{op}: {name} is .*expected .*{name}"):
        OPS[op](**{name: form(value, name)})


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("op", OPS)
def test_the_ends_of_the_ranges_are_taken(op: str, form: Any) -> None:
    for name, value in GOOD.items():
        if op == "alif" or "adapt" not in name:
            OPS[op](**{name: form(value, name)}, impl="reference")


LAYERS: dict[str, Callable[[Any], nn.Module]] = {
    "threshold": lambda x: LIF(5.0, spike_threshold=x),
    "min_v_mem": lambda x: LIF(5.0, min_v_mem=x),
    "spike_threshold": lambda x: ALIF(5.0, 5.0, spike_threshold=x),
    "min_v_mem of ALIF": lambda x: ALIF(5.0, 5.0, min_v_mem=x),
    "adapt_scale": lambda x: ALIF(5.0, 5.0, adapt_scale=x),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_refuses_the_same(layer: str) -> None:
    name = layer.removesuffix(" of ALIF")
    for value in BAD[name.removeprefix("spike_")]:
        for given in (value, torch.tensor([GOOD[name.removeprefix("spike_")], value])):
            with pytest.raises(ValueError, match=name):
                LAYERS[layer](given)


def test_a_layer_refuses_to_load_it_and_stays() -> None:
    layer = LIF(5.0, min_v_mem=-1.0)
    with pytest.raises(RuntimeError, match="min_v_mem is nan, expected min_v_mem < inf"):
        layer.load_state_dict({**layer.state_dict(), "min_v_mem": torch.tensor(NAN)})
    assert layer.min_v_mem.item() == -1.0


def test_values_that_are_not_to_be_looked_at_are_not() -> None:
    bad = torch.tensor(0.0)
    out = lif(torch.ones(1, 1, 1), alpha_mem=bad, check_values=False, impl="reference")
    assert out.state.v_mem.item() == 0.0
    with pytest.raises(ValueError, match="threshold"):
        lif(torch.ones(1, 1, 1), alpha_mem=0.5, threshold=bad)
    x = torch.ones(1, 1, 1, device="meta")
    lif(x, alpha_mem=torch.zeros((), device="meta"), impl="reference")


# --- parameters that take no part ---

RESETS = [MembraneSubtract(), MembraneSubtract(0.7), MembraneReset(-0.2)]
COMBINATIONS = [
    *((lif, reset) for reset in RESETS),
    (alif, RESETS[2]),
    *(pytest.param(alif, reset, marks=pytest.mark.slow) for reset in RESETS[:2]),
]


def without_gradient(op: Callable[..., Any], impl: str, **given: Any) -> set[str]:
    values = {"alpha_mem": 0.9, "threshold": 1.1, "min_v_mem": -0.3}
    if op is alif:
        values |= {"alpha_adapt": 0.7, "adapt_scale": 0.9}
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    x = (1.5 * torch.rand(2, 5, 3)).requires_grad_()
    out = op(x, impl=impl, **leaves, **given)
    loss = sum(y.sum() for y in (out.spikes, *out.state) if isinstance(y, Tensor))
    found = torch.autograd.grad(loss, [x, *leaves.values()], allow_unused=True)
    assert found[0] is not None
    return {name for name, gradient in zip(leaves, found[1:], strict=True) if gradient is None}


@pytest.mark.parametrize(("op", "reset"), COMBINATIONS)
def test_a_parameter_that_takes_no_part_has_no_gradient(op: Any, reset: Any) -> None:
    spike = SingleSpike() if op is alif else MaxSpike(2)
    given = {"reset": reset, "spike": spike}
    fused = without_gradient(op, "cpu", **given)
    assert fused == without_gradient(op, "reference", **given)
    assert ("threshold" in fused) == (reset != MembraneSubtract())


def test_what_never_fires_has_no_threshold_to_learn() -> None:
    fused = without_gradient(lif, "cpu", spike=None)
    assert fused == without_gradient(lif, "reference", spike=None) == {"threshold"}
