"""The parameters that go with the output channels of a layer: its own rows, and what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from picojoule.budget.masks import Prunable, check_plain, original, take_out
from picojoule.budget.names import check_names


class Slices(NamedTuple):
    """A parameter of which each channel has equal slices along an axis."""

    layer: nn.Module
    of: str
    axis: int

    def take_out(self, keep: Tensor) -> None:
        """Mask the slices of the channels that are not to be kept; `keep` is True or False by channel."""
        parameter = original(self.layer, self.of)
        shape = [1] * parameter.ndim
        shape[self.axis] = parameter.shape[self.axis]
        along = keep.repeat_interleave(shape[self.axis] // len(keep))
        take_out(self.layer, along.reshape(shape).expand(parameter.shape), self.of)


def slices(
    model: nn.Module, name: str, layer: Prunable, readers: Sequence[str]
) -> tuple[Slices, ...]:
    """The slices of a layer's channels, in the layer and in what reads them.

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
    found = _rows(layer)
    for each in readers:
        found += _of_reader(name, channels, each, known[each])
    return tuple(found)


def groups(layer: nn.Module) -> int:
    """Groups of a convolution; 1 of all else."""
    return int(getattr(layer, "groups", 1))


def _of_reader(name: str, channels: int, reader_name: str, reader: nn.Module) -> list[Slices]:
    if isinstance(reader, _BatchNorm):
        has, found = reader.num_features, _rows(reader)
    elif groups(reader) == 1:
        has, found = original(reader).shape[1], [Slices(reader, "weight", 1)]
    elif groups(reader) == channels:
        has, found = channels, _rows(reader)
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


def _rows(layer: nn.Module) -> list[Slices]:
    names = [n.removesuffix("_orig") for n, p in layer._parameters.items() if p is not None]
    return [Slices(layer, of, 0) for of in names if of in ("weight", "bias")]
