"""The answer to a sample, from what a network gives out and what is left in its last neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from picojoule.layers import FlattenTime, HookHandles, StatefulLayer, UnflattenTime

Readout = Literal["auto", "count", "potential"]
_RESHAPING = (FlattenTime, UnflattenTime, nn.Flatten, nn.Unflatten, nn.Identity)
_WAY_OUT = "End the model in a spiking neuron of picojoule.layers, or choose readout count."


def summed_over_time(output: Any, batch: int, time: int) -> Tensor:
    """A network's output, summed over time: `b c`.

    Args:
        output: `b t c`, `(b t) c`, or `b c`, which is taken as it is.
        batch: b.
        time: t.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> import torch
        >>> summed_over_time(torch.ones(6, 3), batch=2, time=3)
        tensor([[3., 3., 3.],
                [3., 3., 3.]])
    """
    if isinstance(output, Tensor):
        if output.ndim == 3 and len(output) == batch:
            return output.sum(1)
        if output.ndim == 2 and len(output) == batch:
            return output
        if output.ndim == 2 and len(output) == batch * time:
            return output.reshape(batch, time, -1).sum(1)
    came = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ValueError(
        f"the model answers a batch of {batch} samples of {time} time steps with {came}, expected b t c, (b t) c or "
        "b c: a number for each class."
    )


def left_in_potential(neurons: StatefulLayer) -> Tensor:
    """What is left of spikes in the potential after a forward pass, in thresholds: `b *n`, with its gradient.

    Example:
        >>> from picojoule.layers import IAF
        >>> neurons = IAF(spike_threshold=2.0)
        >>> spikes = neurons(torch.tensor([[[1.5], [1.5]]]))  # 3 make one spike and leave 1
        >>> spikes.sum().item(), left_in_potential(neurons).item()
        (1.0, 0.5)
    """
    left, threshold = cast("Tensor", neurons.v_mem), cast("Tensor", neurons.spike_threshold)
    return left / threshold


def with_potential(neurons: StatefulLayer) -> Callable[[Tensor], Tensor]:
    """What makes answers of the spikes counted so far, `b c`, by what is left in the potential of these neurons."""
    return lambda counts: counts + left_in_potential(neurons).reshape(counts.shape).to(counts.dtype)


class _LastRun(NamedTuple):
    name: str
    layer: nn.Module
    output: object


def answering_neurons(
    model: nn.Module, run: Callable[[], Any], batch: int, time: int
) -> tuple[Any, StatefulLayer]:
    """What a run of the model gives out, and the layer whose spikes that is.

    Args:
        model: any module.
        run: runs it once, on samples.
        batch: samples.
        time: time steps.

    Raises:
        ValueError: the last layer is none of our spiking neurons, or the model makes something else of its spikes
            than their sum over time.
    """
    last: list[_LastRun] = []
    with HookHandles() as handles:
        for name, layer in _whole_layers(model):
            handles.add(layer.register_forward_hook(_Watch(name, last)))
        output = run()
    if not last:
        raise ValueError(f"training: readout is potential, but the model runs no layer. {_WAY_OUT}")
    name, neurons, spikes = last[0]
    shown = f"{name!r} ({type(neurons).__name__})"
    if not (
        isinstance(neurons, StatefulLayer) and neurons.does_spike and hasattr(neurons, "v_mem")
    ):
        raise ValueError(
            "training: readout is potential, which adds to the spikes of the last layer what is left in its neurons' "
            f"potential v_mem, but the last layer is {shown}, no spiking neuron of picojoule.layers. {_WAY_OUT}"
        )
    assert isinstance(spikes, Tensor)
    answers, divides = summed_over_time(output, batch, time), spikes.numel() % (batch * time) == 0
    own = spikes.reshape(batch, time, -1).sum(1) if divides else spikes  # else of one step
    if own.shape != answers.shape or not torch.allclose(own.to(answers), answers, rtol=1e-2):
        raise ValueError(
            f"training: readout is potential, but the model makes something else of the spikes of its last layer "
            f"{shown} than their sum over time, {tuple(own.shape)}, before it answers with {tuple(answers.shape)}. "
            "Choose readout count."
        )
    return output, neurons


def _whole_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that have none inside, and neurons, whatever they have."""
    neurons = [name for name, layer in model.named_modules() if isinstance(layer, StatefulLayer)]
    return [
        (name, layer)
        for name, layer in model.named_modules()
        if (name in neurons or not any(layer.children()))
        and not any(name.startswith(f"{each}.") for each in neurons)
        and not isinstance(layer, _RESHAPING)
    ]


class _Watch:
    def __init__(self, name: str, last: list[_LastRun]) -> None:
        self._name, self._last = name, last

    def __call__(self, layer: nn.Module, _: object, output: object) -> None:
        self._last[:] = [_LastRun(self._name, layer, output)]
