"""What a model has to keep to for its sequence to be run in chunks of time, each of them twice."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from picojoule.layers.handles import HookHandles
from picojoule.layers.reshape import UnflattenTime
from picojoule.layers.squeeze import SqueezeMixin
from picojoule.layers.stateful_layer import StatefulLayer
from picojoule.layers.whole_model import stateful_layers
from picojoule.ops.feedback import HOOKS

OWNER = "checkpoint_time"
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def check_arguments(layers: nn.Module, x: Tensor, steps: int) -> None:
    """Raise ValueError unless the sequence can be cut and no module looks at more than its chunk."""
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{OWNER}: steps is {steps!r}, expected a whole number >= 1.")
    if x.ndim < 2:
        raise ValueError(
            f"{OWNER}: the input has shape {tuple(x.shape)}, expected (batch, time, *neuron). Add the "
            "missing axes with unsqueeze."
        )
    for name, module in layers.named_modules():
        fault = _fault_of(module, batch_size=len(x))
        if fault is not None:
            raise ValueError(f"{OWNER}: layer {name!r} ({type(module).__name__}) {fault}")


def _fault_of(module: nn.Module, batch_size: int) -> str | None:
    if isinstance(module, _NORMS) and (module.training or module.running_mean is None):
        return (
            "takes its statistics from the batch, and those of a chunk of time are others than those of "
            "the whole. Call .eval() on it, or take a norm that knows no batch, such as GroupNorm."
        )
    if isinstance(module, nn.RNNBase):
        return "starts from its own first state in every chunk. Leave it out of the layers."
    if isinstance(module, (SqueezeMixin, UnflattenTime)) and (
        module.batch_size,
        module.num_timesteps,
    ) != (batch_size, -1):
        return (
            f"has batch_size={module.batch_size} and num_timesteps={module.num_timesteps}, but takes chunks "
            f"of time of {batch_size} samples. Build it with batch_size={batch_size} alone, or call "
            f"picojoule.set_batch_size(layers, {batch_size}) if it has both numbers or another batch size."
        )
    return None


def check_output(output: object, chunk: Tensor) -> None:
    """Raise ValueError unless the output, too, has a batch and a time axis."""
    if isinstance(output, Tensor) and output.ndim > 1 and output.shape[:2] == chunk.shape[:2]:
        return
    came = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    raise ValueError(
        f"{OWNER}: the layers made {came} of a chunk of time of shape {tuple(chunk.shape)}, expected "
        "(batch, time, *neuron) with the same batch and time. Leave out what folds time, or add "
        "UnflattenTime behind it."
    )


def has_hooks(layers: nn.Module) -> bool:
    """Whether somebody is told of the calls of a module."""
    return any(getattr(layers, name) or getattr(torch_module, "_global" + name) for name in HOOKS)


def checked_calls(layers: nn.Module, chunk: Tensor, by_hooks: bool) -> HookHandles:
    """Check, in the forward pass of a chunk, that each stateful layer is called once and with all of it.

    Args:
        layers: what is run.
        chunk: its input.
        by_hooks: whether hooks on `layers` itself are called, too; else its own call is checked here.
    """
    handles, called = HookHandles(), set[str]()
    for name, layer in stateful_layers(layers):
        check = partial(_check_call, name, tuple(chunk.shape[:2]), called)
        if layer is layers and not by_hooks:
            check(layer, (chunk,))
            continue
        handles.add(layer.register_forward_pre_hook(check))
    return handles


def _check_call(
    name: str,
    batch_and_time: tuple[int, ...],
    called: set[str],
    layer: StatefulLayer,
    inputs: tuple[Any, ...],
) -> None:
    where = f"{OWNER}: layer {name!r} ({type(layer).__name__})"
    if name in called:
        raise ValueError(
            f"{where} is called twice in a pass, so its state would go from chunk to chunk in another order "
            "than over the whole sequence. Take two layers."
        )
    called.add(name)
    if not inputs:
        return
    batch, time = batch_and_time
    expected = (batch * time,) if isinstance(layer, SqueezeMixin) else batch_and_time
    shape = tuple(inputs[0].shape)
    if shape[: len(expected)] != expected:
        axes = "(batch * time, *neuron)" if len(expected) == 1 else "(batch, time, *neuron)"
        raise ValueError(
            f"{where} gets an input of shape {shape} in a chunk of {batch} samples and {time} time steps, "
            f"expected {axes} beginning with {expected}. FlattenTime and UnflattenTime fold and unfold time."
        )


class OwnMemory:
    """Buffers that modules change in the forward pass by themselves, and would change again in a rerun."""

    def __init__(self, layers: nn.Module) -> None:
        self._before = _versions(layers)

    def check(self, layers: nn.Module) -> None:
        """Raise ValueError if a buffer is another than before or was written to."""
        for name, (buffer, version) in _versions(layers).items():
            before, version_before = self._before.get(name, (None, 0))
            if buffer is not before or version != version_before:
                raise ValueError(
                    f"{OWNER}: the forward pass changes the buffer {name!r}, which is not the state of a "
                    "picojoule.layers.StatefulLayer. The backward pass runs it once more, from the changed "
                    "value, and its gradients would be wrong. Leave its layer out, or freeze it with .eval()."
                )


def _versions(layers: nn.Module) -> dict[str, tuple[Tensor, int]]:
    return {
        name: (buffer, 0 if buffer.is_inference() else buffer._version)
        for name, buffer in layers.named_buffers()
        if not isinstance(buffer, torch.nn.parameter.UninitializedBuffer)
    }
