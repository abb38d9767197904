"""What goes with the output channels of a layer: its own rows, and what reads them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from picojoule.budget.masks import (
    Masked,
    Prunable,
    check_plain,
    mask_of,
    masked,
    original,
    put_in,
    remove_mask,
    take_out,
)
from picojoule.budget.names import check_names
from picojoule.layers import reset_states, stateful_layers

_STATISTICS = ("running_mean", "running_var")


class Slices(NamedTuple):
    """A layer of which each channel has equal slices: of all it has (axis 0), or columns of its weight (axis 1)."""

    layer: nn.Module
    axis: int

    def parameters(self) -> list[Masked]:
        """Those that have slices."""
        names = ("weight", "bias") if self.axis == 0 else ("weight",)
        return [(self.layer, of) for of in names if getattr(self.layer, of) is not None]

    def take_out(self, keep: Tensor) -> None:
        """Mask the channels that are not to be kept; `keep` is True or False by channel."""
        for layer, of in self.parameters():
            parameter = original(layer, of)
            shape = [1] * parameter.ndim
            shape[self.axis] = parameter.shape[self.axis]
            along = keep.repeat_interleave(shape[self.axis] // len(keep))
            take_out(layer, along.reshape(shape).expand(parameter.shape), of)

    def cut(self, keep: Tensor) -> None:
        """Make the layer one without these channels; other masks of it stay."""
        layer: Any = self.layer
        for _, of in self.parameters():
            mask, old = mask_of(layer, of), original(layer, of)
            left = self._left(masked(layer, of), keep)
            if mask is not None:
                remove_mask(layer, of)
            put_in(layer, nn.Parameter(left, old.requires_grad), of)
            if mask is not None and not (mask := self._left(mask, keep)).all():
                take_out(layer, mask, of)
        if isinstance(layer, _BatchNorm):
            for name in _STATISTICS:
                if getattr(layer, name) is not None:
                    setattr(layer, name, self._left(getattr(layer, name), keep))
        _say_its_size(layer, int(keep.sum()), depthwise=self.axis == 0 and groups(layer) > 1)

    def _left(self, values: Tensor, keep: Tensor) -> Tensor:
        along = keep.repeat_interleave(values.shape[self.axis] // len(keep))
        return values.index_select(self.axis, along.nonzero().flatten())


def slices(
    model: nn.Module, name: str, layer: Prunable, readers: Sequence[str]
) -> tuple[Slices, ...]:
    """Where the channels of a layer have slices: in itself and in what reads them.

    Args:
        model: what has them.
        name: of the layer.
        layer: linear, or a convolution.
        readers: names of the layers that get the channels, next or behind poolings and flattening.

    Raises:
        ValueError: a name is of no layer that can read channels, or it does not fit.
    """
    known = {n: m for n, m in model.named_modules() if isinstance(m, Prunable | _BatchNorm)}
    check_names(readers, tuple(known), "layer that can read channels", "Connections")
    check_plain({n: known[n] for n in readers if isinstance(known[n], Prunable)}, "Connections")
    channels = original(layer).shape[0]
    return (Slices(layer, 0), *(_of_reader(name, channels, each, known[each]) for each in readers))


def groups(layer: nn.Module) -> int:
    """Groups of a convolution; 1 of all else."""
    return int(getattr(layer, "groups", 1))


def without_channels(
    model: nn.Module, cuts: Iterable[tuple[tuple[Slices, ...], Tensor]]
) -> nn.Module:
    """A copy that is smaller by some channels, its states reset.

    Args:
        model: stays as it is.
        cuts: slices of it, and which channels are kept.

    Raises:
        ValueError: neurons have a value of their own for each channel or neuron.
    """
    for name, neurons in stateful_layers(model):
        if any(p.numel() > 1 for p in neurons.parameters(recurse=False)):
            raise ValueError(
                f"Connections: the neurons of {name!r} have time constants or thresholds of their own, which would have to "
                "be cut with their channels. Use one value a layer."
            )
    smaller = copy.deepcopy(model)
    names = {id(module): name for name, module in model.named_modules()}
    for each, keep in cuts:
        for part in each:
            part._replace(layer=smaller.get_submodule(names[id(part.layer)])).cut(keep)
    reset_states(smaller)
    return smaller


def _of_reader(name: str, channels: int, reader_name: str, reader: nn.Module) -> Slices:
    if isinstance(reader, _BatchNorm):
        has, found = reader.num_features, Slices(reader, 0)
    elif groups(reader) == 1:
        has, found = original(reader).shape[1], Slices(reader, 1)
    elif groups(reader) == channels:
        has, found = channels, Slices(reader, 0)
    else:
        raise ValueError(
            f"Connections: {reader_name!r} reads {name!r} in {groups(reader)} groups of several channels, which "
            f"cannot lose single ones. Leave {name!r} out."
        )
    if has % channels:
        raise ValueError(
            f"Connections: {reader_name!r} has {has} inputs, which are not those of the {channels} channels of {name!r}."
        )
    return found


def _say_its_size(layer: Any, channels: int, *, depthwise: bool) -> None:
    """Let a layer's own numbers be those of its parameters."""
    if isinstance(layer, _BatchNorm):
        layer.num_features = channels
        return
    outputs, inputs = layer.weight.shape[:2]
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = outputs, inputs
        return
    layer.groups = channels if depthwise else layer.groups
    layer.out_channels, layer.in_channels = outputs, inputs * layer.groups
