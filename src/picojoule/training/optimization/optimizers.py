"""The optimisers of a run, and the learning rate that each has by default."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from picojoule.training.optimization.muon import MuonAndAdam, matrices
from picojoule.training.optimization.pruned_weights import hold_pruned_weights

OptimizerName = Literal["adam", "adamw", "sgd", "muon"]
RATES: dict[str, float] = {"adam": 2e-3, "adamw": 2e-3, "sgd": 0.1, "muon": 0.02}
BEST: OptimizerName = "muon" if hasattr(torch.optim, "Muon") else "adam"
_MOMENTUM_OF_SGD = 0.9
_STEPS_AT_FULL_RATE = 720  # of Muon; more would lead its weights farther


def default_rate(name: str, steps: int = _STEPS_AT_FULL_RATE) -> float:
    """The learning rate at the start of a run where none is stated.

    A step of Muon is as long as the rate says, whatever the gradient is, so rate times steps is how far the weights go. Beyond
    what suits they leave neurons silent that no gradient reaches (docs/adr/0031):

        rate = RATES["muon"] * min(1, 720 / steps)

    Args:
        name: one of `RATES`.
        steps: training steps of the run, >= 1.

    Example:
        >>> default_rate("muon"), default_rate("muon", 2880), default_rate("adam", 2880)
        (0.02, 0.005, 0.002)
    """
    return RATES[name] * (min(1.0, _STEPS_AT_FULL_RATE / steps) if name == "muon" else 1.0)


def build_optimizer(
    name: str,
    model: nn.Module,
    learning_rate: float | None = None,
    last: str | None = None,
    steps: int = _STEPS_AT_FULL_RATE,
) -> torch.optim.Optimizer:
    """The optimiser of that name for all parameters of a model that are trained.

    "adam" and "adamw" (decay 0.01) have PyTorch's settings, "sgd" a momentum of 0.9. "muon" is
    :class:`picojoule.training.optimization.muon.MuonAndAdam`: Muon for the matrices, Adam for the rest, the answering layer
    among it. Weights that :mod:`torch.nn.utils.prune` has taken away stay as they are, with moments of zero.
    Each group's rate at the start is its `initial_lr`.

    Args:
        name: one of `RATES`.
        model: on its device.
        learning_rate: at the start; None for `default_rate`. Of Muon it is the matrices' rate, and Adam's beside
            it goes along: a tenth, 2e-3 at 0.02.
        last: name of the layer that answers, which Muon leaves to Adam; None for that of the last matrix.
        steps: training steps of the run.

    Raises:
        ConfigError: Muon, and this PyTorch has none.

    Example:
        >>> optimizer = build_optimizer("sgd", nn.Linear(2, 3))
        >>> type(optimizer).__name__, optimizer.param_groups[0]["lr"]
        ('SGD', 0.1)
    """
    rate = default_rate(name, steps) if learning_rate is None else learning_rate
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer: torch.optim.Optimizer
    if name == "muon":
        orthogonal = matrices(model, last)
        known = set(orthogonal)
        rest = [weight for weight in weights if weight not in known]
        optimizer = MuonAndAdam(orthogonal, rest, rate, rate * RATES["adam"] / RATES["muon"])
    elif name == "sgd":
        optimizer = torch.optim.SGD(weights, lr=rate, momentum=_MOMENTUM_OF_SGD)
    else:
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
        optimizer = kind(weights, lr=rate)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    hold_pruned_weights(optimizer, model)
    return optimizer
