"""The optimisers of a run, and the learning rate that each has by default."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from picojoule.near_names import did_you_mean
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
    model: nn.Module,
    name: OptimizerName = BEST,
    *,
    lr: float | None = None,
    steps: int = _STEPS_AT_FULL_RATE,
    last: str | None = None,
) -> torch.optim.Optimizer:
    """The optimiser of `picojoule train` for a model: one of PyTorch's, for all parameters that are trained.

    "adam" and "adamw" (decay 0.01) have PyTorch's settings, "sgd" a momentum of 0.9. "muon" moves every direction of a matrix
    `m n`, or of a kernel of a convolution, `m *k`, equally far, and leaves all other parameters to Adam, those of the layer
    that answers among them:

        m <- 0.95 m + 0.05 g;   w <- w - lr * sqrt(max(1, rows / columns)) * orthogonal(0.95 m + 0.05 g)

    It takes a closure, schedulers, gradient scalers and `state_dict` as any optimiser does. A weight that
    :mod:`torch.nn.utils.prune` has taken away, as `Budget(synapses="prune")` does, stays as it is, with moments of zero.

    Args:
        model: on its device.
        name: "muon", which needs PyTorch 2.9 or later, "adam", "adamw" or "sgd". Omitted: "muon" where there is one, else "adam".
        lr: learning rate at the start. Of "muon" it is the matrices', and that of Adam beside it a tenth. Omitted: 2e-3 of
            "adam" and "adamw", 0.1 of "sgd", and of "muon" 0.02, or less for a training of more than 720 steps: 14.4 / steps.
        steps: training steps in all, >= 1.
        last: name of the layer that answers; omitted, that of the model's last matrix.

    Raises:
        ValueError: there is no such optimiser, or PyTorch has no Muon; the rate or the steps are no number > 0; or the model
            has nothing to train.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 2))
        >>> optimizer = build_optimizer(model, "sgd", lr=0.2)
        >>> falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
        >>> type(optimizer).__name__, optimizer.param_groups[0]["lr"]
        ('SGD', 0.2)

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the rates are measured
    (docs/adr/0031).
    """
    weights = _checked(model, name, lr, steps)
    rate = default_rate(name, steps) if lr is None else lr
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


def _checked(model: nn.Module, name: str, lr: float | None, steps: int) -> list[nn.Parameter]:
    """The parameters that are trained."""
    if name not in RATES:
        hint = did_you_mean(name, RATES)
        raise ValueError(
            f"build_optimizer: the optimizer is {name!r}, expected one of {', '.join(RATES)}.{hint}"
        )
    if lr is not None and not lr > 0:
        raise ValueError(f"build_optimizer: lr is {lr}, expected a number > 0.")
    if not steps >= 1:
        raise ValueError(f"build_optimizer: steps is {steps}, expected a whole number >= 1.")
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise ValueError(
            f"build_optimizer: no parameter of the {type(model).__name__} requires a gradient, so there is nothing to train."
        )
    return weights
