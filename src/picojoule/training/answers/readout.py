"""The answer to a sample: what a network gives out, with or without what is left in its last neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from picojoule.layers import FlattenTime, HookHandles, StatefulLayer, UnflattenTime

Readout = Literal["auto", "count", "potential"]
_RESHAPING = (FlattenTime, UnflattenTime, nn.Flatten, nn.Unflatten, nn.Identity)
_WAY_OUT = "End the model in a spiking neuron of picojoule.layers, or choose readout count."


def summed_over_time(output: Any, batch_size: int, num_timesteps: int) -> Tensor:
    """A network's output, summed over time: `b c`.

    Args:
        output: `b t c`, `(b t) c`, or `b c`, which is taken as it is.
        batch_size: b.
        num_timesteps: t.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> import torch
        >>> summed_over_time(torch.ones(6, 3), batch_size=2, num_timesteps=3)
        tensor([[3., 3., 3.],
                [3., 3., 3.]])
    """
    if isinstance(output, Tensor):
        if output.ndim == 3 and len(output) == batch_size:
            return output.sum(1)
        if output.ndim == 2 and len(output) == batch_size:
            return output
        if output.ndim == 2 and len(output) == batch_size * num_timesteps:
            return output.reshape(batch_size, num_timesteps, -1).sum(1)
    came = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ValueError(
        f"the model answers a batch of {batch_size} samples of {num_timesteps} time steps with {came}, expected b t c, (b t) c or "
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
    """Makes answers of the spikes counted so far, `b c`: adds what is left in the potential of these neurons."""
    return lambda counts: counts + left_in_potential(neurons).reshape(counts.shape).to(counts.dtype)


class _LastRun(NamedTuple):
    name: str
    layer: nn.Module
    output: object


def answering_neurons(
    model: nn.Module, run: Callable[[], Any], batch_size: int, num_timesteps: int
) -> tuple[Any, StatefulLayer]:
    """The output of a model, and the layer whose spikes it is.

    Args:
        model: any module.
        run: runs it once, on samples.
        batch_size: samples.
        num_timesteps: time steps.

    Raises:
        ValueError: the last layer is none of our spiking neurons, or the output is not the sum of its spikes over
            time.
    """
    last: list[_LastRun] = []
    with HookHandles() as handles:
        for name, layer in _whole_layers(model):
            handles.add(layer.register_forward_hook(_LastRunHook(name, last)))
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
    answers = summed_over_time(output, batch_size, num_timesteps)
    divides = spikes.numel() % (batch_size * num_timesteps) == 0
    # else of one step
    own = spikes.reshape(batch_size, num_timesteps, -1).sum(1) if divides else spikes
    if own.shape != answers.shape or not torch.allclose(own.to(answers), answers, rtol=1e-2):
        raise ValueError(
            f"training: readout is potential, but the model makes something else of the spikes of its last layer "
            f"{shown} than their sum over time, {tuple(own.shape)}, before it answers with {tuple(answers.shape)}. "
            "Choose readout count."
        )
    return output, neurons


def _whole_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers without layers inside, and neurons with all they hold."""
    neurons = [name for name, layer in model.named_modules() if isinstance(layer, StatefulLayer)]
    return [
        (name, layer)
        for name, layer in model.named_modules()
        if (name in neurons or not any(layer.children()))
        and not any(name.startswith(f"{each}.") for each in neurons)
        and not isinstance(layer, _RESHAPING)
    ]


class _LastRunHook:
    def __init__(self, name: str, last: list[_LastRun]) -> None:
        self._name, self._last = name, last

    def __call__(self, layer: nn.Module, _: object, output: object) -> None:
        self._last[:] = [_LastRun(self._name, layer, output)]
