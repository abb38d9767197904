"""What one does to all stateful layers of a model at once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from picojoule.layers.reshape import UnflattenTime
from picojoule.layers.squeeze import SqueezeMixin, whole_size
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
    batch_size = whole_size("set_batch_size", "batch_size", batch_size)
    for module in model.modules():
        if isinstance(module, (UnflattenTime, SqueezeMixin)) and module.batch_size != -1:
            module.batch_size, module.num_timesteps = batch_size, -1


def keep_samples(model: nn.Module, kept: Tensor) -> None:
    """Go on with some samples of the batch alone: every stateful layer drops the states of the others.

    Squeezing layers are told their number, as by :func:`set_batch_size`. The next call continues the sequences of
    the samples that are left, in their order.

    Args:
        model: any module, a stateful layer itself included.
        kept: which samples go on, `b` of bool, one of them at least.

    Raises:
        TypeError: `kept` is no vector of bool.
        ValueError: it keeps none, or a layer's states are of another number of samples; nothing is changed.

    Example:
        >>> import torch
        >>> from picojoule.layers import IAF
        >>> model = nn.Sequential(IAF())
        >>> _ = model(torch.tensor([[[0.1]], [[0.2]], [[0.3]]]))
        >>> keep_samples(model, torch.tensor([True, False, True]))
        >>> model[0].v_mem.flatten()
        tensor([0.1000, 0.3000])
    """
    if kept.dtype != torch.bool or kept.ndim != 1:
        raise TypeError(
            f"keep_samples: kept is {kept.dtype} of shape {tuple(kept.shape)}, expected bool (batch,): whether each "
            "sample goes on."
        )
    number = int(kept.sum())
    if number == 0:
        raise ValueError(
            "keep_samples: no sample is kept, expected one at least. To begin anew call reset_states(model)."
        )
    for name, layer in stateful_layers(model):
        if layer.shape is not None and layer.shape[0] != len(kept):
            raise ValueError(
                f"keep_samples: layer {name!r} ({type(layer).__name__}) has states of {layer.shape[0]} samples, kept "
                f"tells of {len(kept)}. Each sample needs one entry of the layer's first axis."
            )
    for _, layer in stateful_layers(model):
        layer.keep_samples(kept)
    set_batch_size(model, number)
