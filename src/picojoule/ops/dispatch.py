"""Which implementation runs a call: the one that `impl` names, or the first that can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from picojoule.activation.transforms import is_transformed
from picojoule.ops.checks import CheckedCurrent
from picojoule.ops.slow_path import CustomPart, note_slow_path

Run = TypeVar("Run")


class Implementation(NamedTuple, Generic[Run]):
    """A way to run an op, and what prevents it from running a call: None if nothing does.

    ``what_prevents`` gives a `CustomPart` where it is a part of the user's own. ``casts``: it takes the current in
    its own dtype. ``auto_on``: the only type of device on which "auto" considers it; None for any.
    """

    run: Run
    what_prevents: Callable[..., str | None]
    casts: bool = False
    auto_on: str | None = None

    def taken_from(self, checked: CheckedCurrent) -> Tensor:
        """The current as this implementation takes it."""
        return checked.current if self.casts else checked.computed


def nothing_prevents(*_call: object) -> None:
    """Of an implementation that can run every call."""


def chosen(
    checked: CheckedCurrent, impl: str, known: Mapping[str, Implementation[Run]], neuron: object
) -> tuple[Run, Tensor]:
    """What `impl` names, and the current as it takes it; "auto" stands for the first that can run the call.

    Raises:
        ValueError: there is none of that name, or it cannot run this call; a named one never falls back.
        NotImplementedError: a kernel is named under a transform of torch.func or in forward mode.
    """
    if is_transformed() and impl in ("auto", *known):
        return _reference_under_transforms(checked, impl, known), checked.computed
    if impl == "auto":
        return _first_that_can(checked, known, neuron)
    if impl not in known:
        raise ValueError(
            f"{checked.op}: impl is {impl!r}; choose 'auto' or one of {sorted(known)}."
        )
    way = known[impl]
    current = way.taken_from(checked)
    reason = way.what_prevents(current, neuron)
    if reason is not None:
        raise ValueError(
            f"{checked.op}: impl={impl!r} cannot run this call: {reason}. Choose 'auto', or another of {sorted(known)}."
        )
    return way.run, current


def _reference_under_transforms(
    checked: CheckedCurrent, impl: str, known: Mapping[str, Implementation[Run]]
) -> Run:
    """The one that torch can look into: a kernel has one derivative, of autograd, and no rule for batches."""
    if impl not in ("auto", "reference"):
        raise NotImplementedError(
            f"{checked.op}: impl={impl!r} runs neither in forward mode (torch.func.jvp, dual numbers) nor under "
            "other transforms of torch.func (grad, vmap, ...). Name the reference for them: "
            "impl='reference', or a layer's attribute impl; 'auto' takes it by itself."
        )
    return known["reference"].run


def _first_that_can(
    checked: CheckedCurrent, known: Mapping[str, Implementation[Run]], neuron: object
) -> tuple[Run, Tensor]:
    passed_over = None
    for name, way in known.items():
        if way.auto_on not in (None, checked.current.device.type):
            continue
        current = way.taken_from(checked)
        reason = way.what_prevents(current, neuron)
        if reason is None:
            if name == "reference" and passed_over is not None:
                note_slow_path(checked.op, passed_over)
            return way.run, current
        if isinstance(reason, CustomPart):
            passed_over = reason
    raise AssertionError(f"no implementation of {checked.op} runs every call")
