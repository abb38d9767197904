"""Each function of PyTorch is given spikes, and its values are held against what its rule says of them.

A rule that calls spikes what is none makes a wrong number of SynOps; a function that keeps spikes and has no rule
turns all that follows into MACs. Both are found by value, over PyTorch's own list of functions and arguments.
"""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from picojoule.synops.watch.origin import Origin
from picojoule.synops.watch.origins import Origins
from tests.synops.enumeration.following import (
    ByFunction,
    ByOperator,
    Outcome,
    outcomes,
    whole_numbers_of,
)
from tests.synops.enumeration.samples import Sample, floating_tensors, operators, samples

pytestmark = pytest.mark.filterwarnings("ignore")  # of what PyTorch gives up
OPERATORS = operators()
UNITS = (1.0, 0.3, None)  # None: a unit for each place
UNDEFINED = ("empty_like", "new_empty", "new_empty_strided")  # what was in memory
NOT_HERE = "jiterator"  # on GPUs only

# functions that make other values, of which some arguments of PyTorch's list happen to be whole
BY_CHANCE = {
    "a quotient by a norm, of vectors of one value": "nn.functional.normalize",
    "values between, where both sizes are equal": """nn.functional.interpolate.linear
        nn.functional.interpolate.bilinear nn.functional.interpolate.bicubic nn.functional.interpolate.trilinear
        nn.functional.upsample_bilinear""",
    "between two values, that are one if there is a middle one": "quantile nanquantile",
    "a number that no value calls for": "nn.functional.threshold _unsafe_masked_index round.decimals_3",
    "the last bit changes": "nextafter",
    "means of one value": "scatter_reduce.mean index_reduce.mean masked.mean",
    "half the sum of two even ones": "trapz trapezoid cumulative_trapezoid",
    "of one axis of length 1": "nn.functional.pdist fft.hfft fft.hfft2 fft.hfftn fft.irfft fft.irfft2 fft.irfftn",
    "products, which are counted below functions": "sparse.mm.reduce",
    "losses": "nn.functional.margin_ranking_loss nn.functional.l1_loss nn.functional.mse_loss nn.functional.nll_loss nn.functional.hinge_embedding_loss",
    "backward passes": "max_pool2d_with_indices_backward native_dropout_backward",
    "bins between the values": "histogram histogramdd",
    "memory that is not written": "resize_ resize_as_",
    "linear algebra: permutations, signs, unit triangles, systems": """lu_unpack linalg.lu linalg.slogdet linalg.det
        triangular_solve linalg.solve_triangular""",
}


def test_whatever_a_rule_calls_spikes_are_spikes() -> None:
    wrong = _wrong(ByFunction, (0.3, None))
    assert not wrong, _advice(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["op", "method_variant", "inplace_variant", "operator_variant"])
def test_whatever_a_rule_calls_spikes_are_spikes_in_any_form_with_any_arguments(form: str) -> None:
    wrong = _wrong(ByFunction, UNITS, 12, form)
    assert not wrong, _advice(wrong)


def test_rules_hold_for_the_operators_of_the_dispatcher() -> None:
    wrong = _wrong(ByOperator, (0.3,))
    assert not wrong, _advice(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.int64, torch.bool, torch.complex64])
def test_rules_take_whatever_pytorch_takes(dtype: torch.dtype) -> None:
    for name, operator in OPERATORS.items():
        if not operator.supports_dtype(dtype, "cpu") or name.startswith((NOT_HERE, "sparse")):
            continue
        for sample in itertools.islice(samples(operator, dtype=dtype), 2):
            with ByFunction(Origins(set())):
                sample.call({})


@pytest.mark.parametrize(
    "function",
    [
        lambda s: s * 1j,
        lambda s: s * True,
        lambda s: s + np.float32(0.5),
        lambda s: s * np.float64(2),
        lambda s: s / np.int64(2),
        lambda s: torch.sub(input=s, other=s, alpha=2),
        lambda s: torch.mul(other=2, input=s),
        lambda s: s.where(s > 1, 0.0),
        lambda s: torch.where(condition=s > 1, input=s, other=s),
        lambda s: torch.where(s > 1),
        lambda s: torch.clamp(input=s, max=1),
        lambda s: torch.cat(tensors=[s, s], dim=1),
        lambda s: torch.full((2,), 1j),
        lambda s: s.new_tensor([0.5]),
        lambda s: F.pad(input=s, pad=(1, 1), value=0.5),
        lambda s: F.dropout(input=s, p=0.5, training=True),
        lambda s: F.avg_pool1d(input=s, kernel_size=2),
        lambda s: F.interpolate(s[None], size=3, mode="area"),
        lambda s: s.unsqueeze(0).unsqueeze_(0).squeeze_(0).transpose_(0, 1),
        lambda s: torch.scatter(input=s, dim=1, index=s.long(), value=0.5),
    ],
)
@pytest.mark.parametrize("unit", [0.5, torch.tensor([1.0, 2.0, 0.5, 1.0])])
def test_rules_take_arguments_of_any_kind(function: Any, unit: Any) -> None:
    spikes, origins = torch.tensor([[1.0, 0.0, 0.5, 1.0], [0.0, 2.0, 0.0, 1.0]]), Origins(set())
    origins.put(spikes, Origin("spikes", unit))
    with ByFunction(origins):
        made = function(spikes)
    for x in floating_tensors(made):
        assert not Outcome(0, None, True, x, origins.known(x)).is_wrong()


@pytest.mark.slow
def test_functions_that_keep_spikes_have_a_rule() -> None:
    by_chance = " ".join(BY_CHANCE.values()).split()
    missing = {
        name: [str(sample) for sample in _samples(name, 12) if _keeps_unseen(sample)]
        for name in OPERATORS
        if name not in by_chance
    }
    missing = {name: found for name, found in missing.items() if found}
    assert not missing, (
        f"these keep whole numbers of spikes, but are said to make dense values: {missing}. Enter their names above a "
        "rule in picojoule/synops/watch/rules/; or here in BY_CHANCE, with the reason."
    )


def test_exceptions_are_names_of_functions() -> None:
    names = " ".join(BY_CHANCE.values()).split()
    assert not set(names) - set(OPERATORS)


def _samples(name: str, most: int, form: str = "op") -> list[Sample]:
    """Calls with a tensor of several values, so that what is whole is not so by chance."""
    operator = OPERATORS[name]
    function = getattr(operator, form)
    if function is None or name in UNDEFINED or name.startswith(NOT_HERE):
        return []
    found = (s for s in samples(operator, function) if s.floating and _several(s))
    return list(itertools.islice(found, most))


def _several(sample: Sample) -> bool:
    return all(sample.leaves[i].numel() >= 4 for i in sample.floating)


def _wrong(
    mode: Any, units: tuple[float | None, ...], most: int = 1, form: str = "op"
) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    for name in OPERATORS:
        calls = itertools.product(_samples(name, most, form), units, (False, True))
        for sample, unit, signed in calls:
            for outcome in outcomes(sample, mode, signed, unit):
                if outcome.is_wrong():
                    wrong.setdefault(name, []).append(f"{sample}: {outcome.is_wrong()}")
    return wrong


def _advice(wrong: dict[str, list[str]]) -> str:
    return f"the rule of these is not true of their values: {wrong}"


def _keeps_unseen(sample: Sample) -> bool:
    """Whether some output is whole numbers of u, 1 or u^2 at all draws, and is said to be dense at all."""
    for signed in (False, True):
        draws = {unit: list(outcomes(sample, ByFunction, signed, unit, 4)) for unit in (1.0, 0.3)}
        for n in {outcome.output for outcome in draws[0.3]}:
            by_unit = {u: [o for o in found if o.output == n] for u, found in draws.items()}
            if all(len(found) == 4 for found in by_unit.values()) and _unseen(by_unit):
                return True
    return False


def _unseen(by_unit: dict[float, list[Outcome]]) -> bool:
    everything = [outcome for found in by_unit.values() for outcome in found]
    said = all(o.origin is not None and o.origin.kind == "dense" for o in everything)
    if not said or any(o.counted or not o.values.isfinite().all() for o in everything):
        return False
    first, *others = by_unit[0.3]
    if all(o.values.shape == first.values.shape and o.values.equal(first.values) for o in others):
        return False  # whatever was given
    return any(
        all(whole_numbers_of(u**power, o.values) for u, found in by_unit.items() for o in found)
        for power in (0, 1, 2)
    )
