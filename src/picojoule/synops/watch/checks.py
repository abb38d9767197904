"""What a forward pass may not leave uncounted, and what its numbers say is odd."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import torch
from torch import nn

from picojoule.synops.sequential import _NORMALISATIONS
from picojoule.synops.watch.forward import WatchedForward
from picojoule.synops.watch.spiking import spiking


class MonitorWarning(UserWarning):
    """Something in the numbers of a count that deserves a look."""


def check_names(model: nn.Module, what: str, names: Iterable[str]) -> None:
    """Raise ValueError for a name that no module of the model has."""
    known = [name for name, _ in model.named_modules(remove_duplicate=False)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"Monitor: {what} names {name!r}, but the model has no such module.{hint}"
            )


def check_counted(watched: WatchedForward) -> None:
    """Raise NotImplementedError for a module whose weights took part in no counted call."""
    for name, module in watched.called.items():
        if any(name == i or name.startswith(f"{i}.") or i == "" for i in watched.settings.ignore):
            continue
        if isinstance(module, _NORMALISATIONS) or spiking(module) is not None:
            closed = spiking(module)
            if closed is None or closed.closed:
                continue
        for parameter in module.parameters(recurse=False):
            if _is_weight(parameter) and id(parameter) not in watched.counted | watched.harmless:
                raise _uncounted(name, module)


def _is_weight(parameter: torch.Tensor) -> bool:
    """Whether it has the shape of a matrix or kernel, not of a vector with axes to broadcast."""
    spread = sum(length > 1 for length in parameter.shape)
    return parameter.ndim >= 2 and (spread >= 2 or parameter.ndim == 2)


def _uncounted(name: str, module: nn.Module) -> NotImplementedError:
    kind = type(module).__name__
    return NotImplementedError(
        f"Monitor: layer {name!r} ({kind}) has weights but no formula, so its SynOps are unknown. "
        f"Pass formulas={{{kind}: your_formula}}, or ignore=[{name!r}]."
    )
