"""How pruning is watched, and what a monitor that had no part in it says."""

from functools import partial

import torch
from torch import nn

import picojoule

watch = partial(picojoule.Monitor, weights="nonzero", detail=("channel",))


def spent_after(model: nn.Module, x: torch.Tensor, **options) -> picojoule.Monitor:
    """What a monitor that had no part in the pruning says."""
    picojoule.reset_states(model)
    with torch.no_grad(), picojoule.Monitor(model, weights="nonzero", **options) as monitor:
        model(x)
    return monitor
