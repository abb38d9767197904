"""A flag for debugging and training: stop at the first NaN or infinity, and say where."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers.handles import HookHandles
from picojoule.layers.neuron import LeakyNeuron
from picojoule.layers.whole_model import stateful_layers


def check_finite(model: nn.Module) -> HookHandles:
    """Check, at every forward pass, what goes into the stateful layers of a model.

    A NaN or infinite input, or a time constant or threshold that training has driven out of its
    range, stops the pass before the layer's state changes. Costs one reading of each input.

    Args:
        model: any module with stateful layers.

    Returns:
        A handle whose `remove()` ends the checking; also a context manager.

    Raises:
        ValueError: from the checked forward pass, naming the layer and the first bad place.

    Example:
        >>> from picojoule.layers import IAF
        >>> with check_finite(nn.Sequential(IAF())) as _:
        ...     pass
    """
    handles = HookHandles()
    for name, layer in stateful_layers(model):
        handles.add(layer.register_forward_pre_hook(partial(_check, name)))
    return handles


def _check(name: str, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    if isinstance(layer, LeakyNeuron):
        layer.check_parameters()
    for data in inputs:
        # the sum of finite values may overflow, so a suspicious sum is only the reason to look closer
        if isinstance(data, Tensor) and not bool(torch.isfinite(data.detach().sum())):
            _raise_at_first_bad_value(f"layer {name!r} ({type(layer).__name__})", data)


def _raise_at_first_bad_value(where: str, data: Tensor) -> None:
    bad = ~torch.isfinite(data)
    count = int(bad.sum())
    if count:
        first = tuple(int(i) for i in bad.nonzero()[0])
        raise ValueError(
            f"{where}: the input of shape {tuple(data.shape)} has {count} NaN or infinite values, the "
            f"first at index {first} ({data[first].item()}). Check the data, the learning rate and the "
            "weights of the layer before; the state of this layer was left as it was."
        )
