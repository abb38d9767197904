"""What of a model a compiled network leaves out: the user's hooks, and what only training does."""

from __future__ import annotations

import warnings

from torch import nn

from picojoule.convert import foreign_hooks

_OTHER_IN_TRAINING = nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd


def warn_of_hooks(model: nn.Module, where: str = "events.compile") -> None:
    """Warn the caller's caller of the first hook that somebody else put on a module."""
    foreign_hooks.warn_of_hooks(
        model,
        where,
        "called event by event",
        "the network's spikes are other than the model's",
        "remove it before compiling; network.states() and network.synops are there to be looked at",
        stacklevel=4,
    )


def warn_of_training(model: nn.Module) -> None:
    """Warn the caller's caller of the first layer that is in training mode and does something else there."""
    for name, module in model.named_modules():
        if module.training and isinstance(module, _OTHER_IN_TRAINING):
            warnings.warn(
                f"events.compile: {name!r} ({type(module).__name__}) is in training mode, and the network runs as in evaluation: its spikes "
                "are those after model.eval().",
                UserWarning,
                stacklevel=3,
            )
            return
