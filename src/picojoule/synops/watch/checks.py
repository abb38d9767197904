"""What a forward pass must not leave uncounted, and what is odd in its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from picojoule.near_names import did_you_mean
from picojoule.synops.sequential import _NORMALISATIONS
from picojoule.synops.watch.forward import WatchedForward
from picojoule.synops.watch.ledger import Ledger
from picojoule.synops.watch.modules import holds_weights
from picojoule.synops.watch.settings import Settings

SATURATED_SHARE = 0.1  # of a layer's neurons


class MonitorWarning(UserWarning):
    """Something in the numbers of a count that deserves a look."""


def own_names(model: nn.Module, what: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names by which a report has the modules that these name: a shared module has several, and goes by its first.

    Raises:
        ValueError: no module of the model has such a name.
    """
    first = {module: name for name, module in model.named_modules()}
    known = dict(model.named_modules(remove_duplicate=False))
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, however_far=True)
            raise ValueError(
                f"Monitor: {what} names {name!r}, but the model has no such module.{hint}"
            )
    return tuple(dict.fromkeys(first[known[name]] for name in names))


def check_counted(watched: WatchedForward) -> None:
    """Raise NotImplementedError for a module whose weights took part in no counted call, or of whose end nobody knows."""
    if watched.lost:
        raise LostTrackError
    accounted = watched.tally.counted | watched.tally.harmless
    for name, module in watched.elsewhere.items():
        if holds_weights(module) and not _is_ignored(name, watched.settings.ignore):
            raise UnwatchedThreadError(name, type(module).__name__)
    for name, module in watched.stack.called.items():
        if _is_ignored(name, watched.settings.ignore) or _has_none(watched.settings, name, module):
            continue
        for parameter in module.parameters(recurse=False):
            if _is_weight(parameter) and id(parameter) not in accounted:
                raise UncountedLayerError(name, type(module).__name__, _name_of(module, parameter))


def _is_ignored(name: str, ignore: tuple[str, ...]) -> bool:
    return any(name == i or name.startswith(f"{i}.") or i == "" for i in ignore)


def _has_none(settings: Settings, name: str, module: nn.Module) -> bool:
    """Whether its parameters are those of a normalisation or of a neuron's own dynamics, not synapses."""
    kind = settings.kind_of(name, module)
    return isinstance(module, _NORMALISATIONS) if kind is None else kind.closed


def _is_weight(parameter: torch.Tensor) -> bool:
    """Whether it has the shape of a matrix or kernel, not of a vector with axes to broadcast."""
    spread = sum(length > 1 for length in parameter.shape)
    return parameter.ndim >= 2 and (spread >= 2 or parameter.ndim == 2)


def _name_of(module: nn.Module, parameter: torch.Tensor) -> str:
    return next(name for name, own in module._parameters.items() if own is parameter)


class UnwatchedThreadError(NotImplementedError):
    """A layer that ran in a thread where nobody looks.

    Args:
        name: the module's qualified name.
        kind: its type's name.
    """

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(
            f"Monitor: layer {name!r} ({kind}) ran in another thread than the model, where its functions "
            f"cannot be seen. Run it in the model's own thread while it is watched, or ignore=[{name!r}]."
        )


class LostTrackError(NotImplementedError):
    """A module was left by an exception that is no Exception, and the model went on."""

    def __init__(self) -> None:
        super().__init__(
            "Monitor: one of the model's modules was left by an exception that is no Exception, as KeyboardInterrupt and SystemExit "
            "are, and the model caught it. PyTorch tells no hook of that, so it is not known in which module the rest ran. Raise and "
            "catch a subclass of Exception there."
        )


class UncountedLayerError(NotImplementedError):
    """A layer with weights but no formula.

    Args:
        name: the module's qualified name; "" for the model itself.
        kind: its type's name.
        weight: name of the parameter that took part in no product.
    """

    def __init__(self, name: str, kind: str, weight: str) -> None:
        self.name, self.kind = name, kind
        leave_out = f", or ignore=[{name!r}]" if name else ""
        super().__init__(
            f"Monitor: {self.what} Pass formulas={{{kind}: your_formula}}{leave_out}; or delete the parameter {weight!r} if "
            "nothing uses it."
        )

    @property
    def what(self) -> str:
        """What is wrong, as a sentence."""
        where = f"layer {self.name!r}" if self.name else "the model itself"
        return f"{where} ({self.kind}) has weights but no formula, so its SynOps are unknown."


def oddities(ledger: Ledger, macs: float, synops: float) -> Iterator[str]:
    """What in the numbers deserves a look, a sentence each. Waits for the device."""
    for name, rate in ledger.rates.items():
        rates = rate.per_step
        full = (rates >= 1).float().mean().item()
        if not rates.any():
            yield f"layer {name!r} is dead: none of its {rates.numel()} neurons fired."
        elif full > SATURATED_SHARE:
            yield f"layer {name!r} is saturated: {full:.0%} of its neurons spike at every time step."
    if macs > synops:
        yield (
            f"dense inputs dominate: {macs:.4g} MACs against {synops:.4g} SynOps per time step. An "
            "image that is fed in at every step costs this; so do values that are no longer spikes."
        )
    carried = [name for name, flag in ledger.carried.items() if flag]
    if carried:
        yield (
            f"layers {carried} began with the state that an earlier forward pass left. Reset them "
            "between unrelated inputs (picojoule.reset_states(model), or your library's function)."
        )
