"""What a layer without neurons does to a term: poolings, borders, flattening, scaling, and weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.convert.graph import AFFINE
from picojoule.convert.nir.padded_pool import PaddedSumPool2d
from picojoule.events.axes import Places, shifted, through, windows
from picojoule.events.graph import Term
from picojoule.layers import ChannelShift, Cropping2dLayer, SumPool2d

TRANSPOSED = nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d
CONVOLUTIONS = tuple(kind for kind in AFFINE if kind is not nn.Linear)
_PADDINGS = nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d
_POOLS = SumPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d


class CannotRunError(NotImplementedError):
    """A layer that the engine has no kernel for."""

    def __init__(self, path: str, layer: object, reason: str) -> None:
        super().__init__(f"events.compile: layer {path!r} ({type(layer).__name__}) {reason}")


def moved(path: str, layer: nn.Module, term: Term, output: tuple[int, ...]) -> Term:
    """The term behind a layer that moves events about, or scales them.

    Args:
        path: name of the layer, for messages.
        layer: the layer.
        term: what arrives; it has no weights yet.
        output: shape of a step behind the layer, `*n`.

    Raises:
        CannotRunError: the layer is unknown, or does what cannot be done to events one by one.
    """
    if isinstance(layer, nn.Flatten):
        return _flattened(path, layer, term, output)
    for kinds, move in _MOVES:
        if isinstance(layer, kinds):
            if term.is_flat or not term.channels_first:
                raise CannotRunError(
                    path,
                    layer,
                    "comes behind a Flatten or a Linear; it goes with the axes of a convolution.",
                )
            return move(path, layer, term, output)
    raise CannotRunError(
        path,
        layer,
        "has no event-driven kernel. It runs Conv1d to 3d and their transposes, Linear, BatchNorm behind them, sum, average and "
        "max pooling, ZeroPad, Flatten, Dropout, sums, and Picojoule's neurons; use one of these in its place.",
    )


def _flattened(path: str, layer: nn.Flatten, term: Term, output: tuple[int, ...]) -> Term:
    if output != (math.prod(term.shape),):
        raise CannotRunError(
            path,
            layer,
            f"makes steps of shape {output} of those of {term.shape}; expected all axes of a step in one, and no other. Flatten "
            "all of them, or none.",
        )
    return term.then(nn.Flatten(1), shape=output, is_flat=True)


def _moved_on(
    term: Term, moves: list[Places], module: nn.Module, shape: tuple[int, ...], **changes: Any
) -> Term:
    """The term with one more move along each of the last axes; axes in front of these stay."""
    still = len(term.places) - len(moves)
    places = (*term.places[:still], *map(through, term.places[still:], moves))
    grid = (*term.grid[:still], *shape[-len(moves) :])
    return term.then(module, places=places, grid=grid, shape=shape, **changes)


def _pooled(path: str, layer: Any, term: Term, output: tuple[int, ...]) -> Term:
    axes = 1 if isinstance(layer, nn.AvgPool1d) else 3 if isinstance(layer, nn.AvgPool3d) else 2
    kernel = _each(layer.kernel_size, axes)
    stride = _each(layer.kernel_size if layer.stride is None else layer.stride, axes)
    padding = _each(getattr(layer, "padding", 0), axes)
    factor = term.factor
    if not isinstance(layer, SumPool2d):
        divisor = getattr(layer, "divisor_override", None) or math.prod(kernel)
        factor = factor / divisor
        if layer.ceil_mode or (any(padding) and not layer.count_include_pad):
            raise CannotRunError(
                path,
                layer,
                "divides by a number that differs from window to window (ceil_mode, or count_include_pad=False).",
            )
    return _moved_on(
        term, _windows_of(term, output, kernel, stride, padding), layer, output, factor=factor
    )


def _windows_of(
    term: Term,
    output: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
) -> list[Places]:
    given = zip(
        term.shape[-len(kernel) :], kernel, stride, padding, output[-len(kernel) :], strict=True
    )
    return [windows(*of_axis) for of_axis in given]


def largest(path: str, layer: Any, term: Term, output: tuple[int, ...]) -> Term:
    """The term of a max pooling; the stage it leads to takes the largest of what arrives."""
    axes = {nn.MaxPool1d: 1, nn.MaxPool2d: 2, nn.MaxPool3d: 3}[type(layer)]
    if layer.return_indices or any(n != 1 for n in _each(layer.dilation, axes)):
        raise CannotRunError(path, layer, "has return_indices or a dilation.")
    kernel, stride = _each(layer.kernel_size, axes), _each(layer.stride, axes)
    moves = _windows_of(term, output, kernel, stride, _each(layer.padding, axes))
    return _moved_on(term, moves, layer, output)


def _padded(_path: str, layer: Any, term: Term, output: tuple[int, ...]) -> Term:
    before = layer.padding[-2::-2] if len(layer.padding) > 2 else layer.padding[:1]
    sizes = zip(term.shape[-len(before) :], before, output[-len(before) :], strict=True)
    return _moved_on(term, [shifted(*of_axis) for of_axis in sizes], layer, output)


def _cropped(_path: str, layer: Any, term: Term, output: tuple[int, ...]) -> Term:
    sizes = zip(term.shape[-2:], (-layer.top_crop, -layer.left_crop), output[-2:], strict=True)
    return _moved_on(term, [shifted(*of_axis) for of_axis in sizes], layer, output)


def _pooled_with_border(path: str, layer: Any, term: Term, output: tuple[int, ...]) -> Term:
    height, width = layer.zeros
    *front, h, w = term.shape
    bordered = _padded(path, layer[0], term, (*front, h + 2 * height, w + 2 * width))
    return _pooled(path, layer.pool, bordered, output)


def _shifted(path: str, layer: Any, term: Term, output: tuple[int, ...]) -> Term:
    if output[0] != term.shape[0] + layer.channel_shift:
        raise CannotRunError(path, layer, "shifts another axis than that of the channels.")
    return term.then(layer, shape=output, channel_shift=term.channel_shift + layer.channel_shift)


_MOVES: tuple[tuple[Any, Callable[..., Term]], ...] = (
    (PaddedSumPool2d, _pooled_with_border),
    (_POOLS, _pooled),
    (_PADDINGS, _padded),
    (Cropping2dLayer, _cropped),
    (ChannelShift, _shifted),
)


def weighted(path: str, layer: Any, term: Term, output: tuple[int, ...]) -> Term:
    """The term behind a weighted layer.

    Raises:
        CannotRunError: the layer does something that no table of taps can say.
    """
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        raise CannotRunError(
            path, layer, f"has padding_mode={layer.padding_mode!r}; only 'zeros' adds no synapses."
        )
    check_numbers(path, layer)
    if layer.weight.dtype != torch.float32:
        raise CannotRunError(
            path,
            layer,
            f"has weights of {layer.weight.dtype}; the engine computes in float32: call model.float().",
        )
    has_features = term.is_flat or not term.channels_first
    if has_features != isinstance(layer, nn.Linear):
        raise CannotRunError(
            path,
            layer,
            f"takes other channels than what arrives, of shape {term.shape} a step, gives out.",
        )
    return term.then(layer, shape=output, path=path, layer=layer)


def check_numbers(path: str, layer: Any) -> None:
    """Raise ValueError if a weight or a bias of a layer is not finite."""
    for name, expected in (("weight", "weights"), ("bias", "biases")):
        values: Tensor | None = getattr(layer, name, None)
        if values is not None and not bool(torch.isfinite(values).all()):
            at = tuple((~torch.isfinite(values)).nonzero()[0].tolist())
            raise ValueError(
                f"events.compile: {name}{list(at)} of {path!r} ({type(layer).__name__}) is {values[at].item()}, expected finite "
                f"{expected}."
            )


def per_channel(
    path: str, layer: nn.Module, values: Tensor, shape: tuple[int, ...], axis: int
) -> Tensor:
    """Values that broadcast over `*n`, as one a channel.

    Raises:
        CannotRunError: they differ within a channel.
    """
    full = values.detach().broadcast_to(shape).movedim(axis, 0).reshape(shape[axis], -1)
    if bool((full != full[:, :1]).any()):
        raise CannotRunError(
            path, layer, "has factors that differ within a channel; put them into the weights."
        )
    return full[:, 0].contiguous()


def _each(value: Any, axes: int) -> tuple[int, ...]:
    """One number an axis, of one for all or one each."""
    return (int(value),) * axes if isinstance(value, int) else tuple(int(n) for n in value)
