"""What one does to all stateful layers of a model at once."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from picojoule.layers.reshape import UnflattenTime
from picojoule.layers.squeeze import SqueezeMixin
from picojoule.layers.stateful_layer import StatefulLayer


def stateful_layers(model: nn.Module) -> Iterator[tuple[str, StatefulLayer]]:
    """The stateful layers of a model with their qualified names; `model` itself may be one."""
    for name, module in model.named_modules():
        if isinstance(module, StatefulLayer):
            yield name, module


def reset_states(model: nn.Module) -> None:
    """Have every stateful layer forget its states: the next call starts from zeros, whatever its batch size.

    Args:
        model: any module, a stateful layer itself included.

    Example:
        >>> import torch
        >>> from picojoule.layers import IAF
        >>> model = nn.Sequential(nn.Linear(3, 2), IAF())
        >>> _ = model(torch.rand(1, 10, 3))
        >>> reset_states(model)
        >>> model[1].v_mem
        tensor([])
    """
    for _, layer in stateful_layers(model):
        layer.reset_states()


def zero_grad(model: nn.Module) -> None:
    """Zero the gradients of every stateful layer and cut its states' history; values stay.

    Call it between two forward passes that should go on from one another without back-propagating
    through the first (truncated back-propagation through time).
    """
    for _, layer in stateful_layers(model):
        layer.zero_grad()


def set_batch_size(model: nn.Module, batch_size: int) -> None:
    """Tell every squeezing layer, and `UnflattenTime`, the number of samples in the next batches.

    The number of time steps then follows from the input, also in layers that were built with both
    numbers. Layers that were built with `num_timesteps` alone find the batch themselves and stay.

    Raises:
        ValueError: `batch_size` is not a positive whole number; nothing is changed.

    Example:
        >>> from picojoule.layers import IAFSqueeze
        >>> model = nn.Sequential(IAFSqueeze(batch_size=5), UnflattenTime(5))
        >>> set_batch_size(model, 2)
        >>> model[0].batch_size, model[1].batch_size
        (2, 2)
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            f"set_batch_size: batch_size is {batch_size!r}, expected a whole number >= 1."
        )
    for module in model.modules():
        if isinstance(module, (UnflattenTime, SqueezeMixin)) and module.batch_size != -1:
            module.batch_size, module.num_timesteps = batch_size, -1
