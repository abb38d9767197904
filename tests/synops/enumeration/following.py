"""Spikes followed through one call, by its functions or by its operators, and held against its values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from picojoule.synops.formulas import FORMULAS
from picojoule.synops.watch.function_call import FunctionCall, tensors
from picojoule.synops.watch.origin import DENSE, Origin
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.rules import origin_of_result
from tests.synops.enumeration.samples import DTYPE, Sample, floating_tensors

MAP = torch.tensor([0.5, 0.25, 1.5], dtype=DTYPE)


class ByFunction(TorchFunctionMode):
    """Notes the origin of what each function gives; `counted` is whether one has a counting formula."""

    def __init__(self, origins: Origins) -> None:
        super().__init__()
        self.origins, self.counted = origins, False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.counted = self.counted or func in FORMULAS
        if args and result is args[0] and isinstance(result, Tensor):
            self.origins.renew(result)
        _note(FunctionCall(self.origins, func, args, kwargs or {}, result))
        return result


class ByOperator(TorchDispatchMode):
    """Notes the origin of what each operator of the dispatcher gives."""

    counted = False

    def __init__(self, origins: Origins) -> None:
        super().__init__()
        self.origins = origins

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        _note(FunctionCall(self.origins, func, args, kwargs or {}, result))
        return result


def _note(call: FunctionCall) -> None:
    results = tensors([call.result])
    if results:
        origin = DENSE if call.function in FORMULAS else origin_of_result(call)
        several = origin if isinstance(origin, list) else [origin] * len(results)
        for x, its in zip(results, several, strict=True):
            call.origins.put(x, its)


@dataclass(frozen=True)
class Outcome:
    """One output of a call that was given spikes, and what it is said to be; None if nothing is said."""

    output: int
    unit: float | None  # of what was given; None of units that differ from place to place
    signed: bool
    values: Tensor
    origin: Origin | None
    counted: bool = False  # whether a function with a counting formula was part of it

    def is_wrong(self) -> str:
        """What is wrong with the origin, in view of the values; "" if nothing is."""
        origin, values = self.origin, self.values
        if origin is None or not values.isfinite().all():
            return ""
        if origin.kind == "zeros" and values.any():
            return "not zeros"
        if origin.kind != "spikes" or (origin.whole is not None and not origin.whole):
            return ""
        if not whole_numbers_of(origin.unit, values):
            return f"not whole numbers of {origin.unit}"
        return "negative" if not origin.signed and (values < 0).any() else ""


def outcomes(
    sample: Sample, mode: Any, signed: bool, unit: float | None, draws: int = 1
) -> Iterator[Outcome]:
    """Every output, for several draws of spikes in all tensors of a call."""
    for seed in range(draws):
        generator, origins = torch.Generator().manual_seed(seed), Origins(set())
        given = {}
        for i in sample.floating:
            shape = sample.leaves[i].shape
            number = torch.randint(-3 if signed else 0, 5, shape, generator=generator)
            its = unit if unit is not None else _map(shape)
            given[i] = number.to(DTYPE) * its
            origins.put(given[i], Origin("spikes", its, signed))
        watch = mode(origins)
        try:
            with watch:
                result = sample.call(given)
        except (RuntimeError, ValueError, IndexError):
            continue  # not a call that can be made with such values
        for n, values in enumerate(floating_tensors(result)):
            yield Outcome(n, unit, signed, values, origins.known(values), watch.counted)


def whole_numbers_of(unit: Any, values: Tensor) -> bool:
    """Whether all values are whole numbers of units, but for rounding."""
    unit = torch.as_tensor(unit, dtype=DTYPE)
    number = values.to(DTYPE) / torch.where(unit == 0, torch.ones_like(unit), unit)
    rounding = 64 * torch.finfo(values.dtype).eps * (1 + number.abs())
    return bool(((number - number.round()).abs() <= rounding).all())


def _map(shape: torch.Size) -> Tensor | float:
    """A unit for each place along the last axis."""
    return MAP.repeat(-(-shape[-1] // 3))[: shape[-1]] if shape else 0.5
