"""What the axes of a model's input are: batch and time, apart or in one, and where its channels are."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from picojoule.convert.graph import AFFINE
from picojoule.convert.trace import INPUT, OUTPUT, Trace
from picojoule.layers import ALIF, LIF, SqueezeMixin, StatefulLayer, SumPool2d
from picojoule.layers.squeeze import split_batch_and_time

# axes of a step that a layer takes, channels included
_AXES: tuple[tuple[Any, int], ...] = (
    ((nn.Conv1d, nn.ConvTranspose1d, nn.AvgPool1d, nn.MaxPool1d), 2),
    ((nn.Conv2d, nn.ConvTranspose2d, nn.AvgPool2d, nn.MaxPool2d, SumPool2d), 3),
    ((nn.Conv3d, nn.ConvTranspose3d, nn.AvgPool3d, nn.MaxPool3d), 4),
)


def has_features_last(traced: Trace) -> bool:
    """Whether the input's last axis is that of its channels: a Linear has it so, a convolution does not."""
    layers = [call.module for call in traced.calls.values()]
    first = next((x for x in layers if isinstance(x, (*AFFINE, nn.Flatten))), None)
    return isinstance(first, nn.Linear)


def leading_axes(traced: Trace, sample: Tensor) -> int:
    """How many axes of batch and time the input has: one or two."""
    first = next((b for a, b in traced.edges if a == INPUT and b != OUTPUT), None)
    call = traced.calls.get(first or "")
    if call is not None and call.input_shape == tuple(sample.shape):
        if isinstance(call.module, StatefulLayer):
            return 1 if isinstance(call.module, SqueezeMixin) else 2
        if isinstance(call.module, nn.Flatten) and call.module.start_dim == 1:
            return 1  # or it would take time into the features
        for kinds, axes in _AXES:
            if isinstance(call.module, kinds):
                return sample.ndim - axes
    for call in traced.calls.values():  # behind what only moves events about
        if len(call.input_shape) != sample.ndim or isinstance(call.module, StatefulLayer):
            break
        for kinds, axes in _AXES:
            if isinstance(call.module, kinds):
                return sample.ndim - axes
    sizes, *_ = batch_and_steps(traced)
    return 2 if tuple(sample.shape[:2]) == sizes else 1


def batch_and_steps(traced: Trace) -> tuple[tuple[int, int], int, int]:
    """Samples and time steps of the sample, and the two as the first folded layer is told them, -1 for unknown.

    Raises:
        ValueError: there is no layer of neurons, or two take the same sample for other samples and steps.
    """
    found: dict[str, tuple[int, int]] = {}
    told = -1, -1
    for call in traced.calls.values():
        layer: Any = call.module
        if not isinstance(layer, LIF | ALIF):  # others are refused
            continue
        if isinstance(layer, SqueezeMixin):
            own = layer.batch_size, layer.num_timesteps
            told = told if found else own
            found[call.path] = split_batch_and_time(type(layer).__name__, call.input_shape[0], *own)
        else:
            found[call.path] = call.input_shape[0], call.input_shape[1]
    if not found:
        raise ValueError(
            "events.compile: the model has no spiking layer, so nothing is sparse; expected one at least."
        )
    (first, sizes), *others = found.items()
    for path, own in others:
        if own != sizes:
            raise ValueError(
                f"events.compile: layer {path!r} takes the sample for {own[0]} samples of {own[1]} time steps, and layer {first!r} for "
                f"{sizes[0]} of {sizes[1]}. Call picojoule.set_batch_size(model, n), or set each layer's batch_size or num_timesteps "
                "to the same, and keep the axes of batch and time in this order."
            )
    return sizes, *told
