"""Spikes added up on their way: to the bit what the output adds up to, with its gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.activation import MaxSpike, SingleSpike
from picojoule.layers import ALIF, IAF, LIF, ExpLeak, LIFRecurrent
from picojoule.layers.stateful_layer import StatefulLayer

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
LAYERS: dict[str, Any] = {
    "IAF": IAF,
    "single": lambda: IAF(spike_fn=SingleSpike),
    "limited": lambda: IAF(spike_fn=MaxSpike(2)),
    "LIF": lambda: LIF(tau_mem=5.0, tau_syn=3.0, min_v_mem=-1.0),
    "ALIF": lambda: ALIF(tau_mem=5.0, tau_adapt=9.0),
    "never fires": lambda: ExpLeak(tau_mem=5.0),
    "recurrent": lambda: LIFRecurrent(tau_mem=5.0, rec_connect=nn.Linear(7, 7)),
}
SHAPES = [(2, 9, 7), (3, 1, 7), (1, 4, 7), (0, 5, 7), (2, 0, 7), (2, 6, 2, 7)]


def current(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, scale: float = 1) -> Tensor:
    made = torch.Generator().manual_seed(0)
    return (torch.randn(shape, generator=made) * scale).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_the_sums_are_those_of_the_output(name: str, dtype: torch.dtype) -> None:
    for shape in SHAPES:
        if name == "recurrent" and (dtype != torch.float32 or len(shape) > 3):
            continue
        layer = LAYERS[name]().to(torch.float64 if dtype == torch.float64 else torch.float32)
        output = layer(current(shape, dtype, 2))
        sums, expected = layer.output_sums, output.to(torch.float64).sum((0, 1))
        assert sums is not None
        assert sums.shape == shape[2:]
        assert sums.dtype == torch.promote_types(dtype, torch.float32)
        torch.testing.assert_close(sums.double(), expected, rtol=1e-6, atol=1e-6)
        if name not in ("never fires",):
            assert torch.equal(sums.double(), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("impl", ["cpu", "reference"])
def test_counts_that_a_format_rounds_are_added_up_as_they_are_given_out(
    dtype: torch.dtype, impl: str
) -> None:
    layer = IAF()
    layer.impl = impl
    output = layer(torch.tensor([257.0, 2049.0, 3003.0]).expand(1, 2, 3).to(dtype) + 1)
    assert layer.output_sums is not None
    assert torch.equal(layer.output_sums, output.float().sum((0, 1)))


def gradients(layer: StatefulLayer, x: Tensor, of_outputs: float, of_sums: float) -> list[Tensor]:
    """Of the input and the layer's parameters, of a loss on outputs, on sums, or on both."""
    x = x.clone().requires_grad_()
    output = layer(x)
    weights = torch.arange(output.numel(), dtype=output.dtype).reshape(output.shape).cos()
    assert layer.output_sums is not None
    assert layer.firing_rate is not None
    loss = of_sums * ((layer.output_sums**2).sum() + layer.firing_rate)
    if of_outputs:
        loss = loss + of_outputs * (output * weights).sum()
    learning = [p for p in layer.parameters() if p.requires_grad]
    return list(torch.autograd.grad(loss, [x, *learning]))


@pytest.mark.parametrize("of_outputs", [0.0, 1.0])
@pytest.mark.parametrize("of_sums", [0.0, 0.3])
@pytest.mark.parametrize("name", ["IAF", "limited", "LIF", "ALIF", "recurrent"])
def test_a_loss_on_sums_and_rates_has_the_references_gradient(
    name: str, of_sums: float, of_outputs: float
) -> None:
    if not of_sums + of_outputs:
        return
    x = current((2, 9, 7), torch.float64 if name != "recurrent" else torch.float32)
    torch.manual_seed(0)
    layer = LAYERS[name]().to(x.dtype)
    found = gradients(layer, x, of_outputs, of_sums)
    picojoule.reset_states(layer)
    layer.impl = "reference"
    for gradient, expected in zip(found, gradients(layer, x, of_outputs, of_sums), strict=True):
        torch.testing.assert_close(gradient, expected)


def test_a_half_of_the_loss_on_sums_is_in_the_outputs_format() -> None:
    x = current((2, 9, 7), torch.bfloat16).requires_grad_()
    layer = IAF()
    output = layer(x)
    assert layer.output_sums is not None
    (output.float().sum() + layer.output_sums.sum()).backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16
    assert x.grad.isfinite().all()


def test_a_second_backward_through_the_sums_alone_explains_itself() -> None:
    layer = IAF()
    layer(current((2, 9, 7)).requires_grad_())
    assert layer.firing_rate is not None
    layer.firing_rate.backward()
    layer(current((2, 9, 7)))
    with pytest.raises(RuntimeError, match=r"IAF: .*reset_states"):
        layer.firing_rate.backward()


def test_a_second_derivative_through_the_sums_is_refused() -> None:
    x = current((2, 9, 7)).requires_grad_()
    layer = IAF()
    layer(x)
    assert layer.firing_rate is not None
    with pytest.raises((RuntimeError, NotImplementedError), match="second"):
        torch.autograd.grad(layer.firing_rate, x, create_graph=True)[0].sum().backward()


def test_a_call_by_the_operator_and_one_by_the_function_have_the_same_sums() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Onlooker(TorchDispatchMode):
        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return function(*args, **(kwargs or {}))

    x, layer = current((2, 9, 7)), IAF()
    layer(x)
    by_function = layer.output_sums
    picojoule.reset_states(layer)
    with Onlooker():
        layer(x)
    assert layer.output_sums is not None
    assert by_function is not None
    assert torch.equal(layer.output_sums, by_function)
