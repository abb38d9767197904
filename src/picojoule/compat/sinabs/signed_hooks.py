"""sinabs' counting of negative inputs, for who has to reproduce its numbers: `install(signed_synops=True)`.

Picojoule counts a value by its magnitude. sinabs takes it with its sign, so that positive and negative
inputs of a layer cancel: an image with zero mean then costs nothing. And its `input_diff_hook` takes
a layer's bias for a cancelled input. For spikes, both agree.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import hooks, synops
from picojoule.compat.sinabs.hooks import register_synops_hooks as register_hooks
from picojoule.layers import HookHandles
from picojoule.synops.fan_out import CONVOLUTIONS, Convolution

Inputs = tuple[Tensor, ...]


def conv_layer_synops_hook(module: Convolution, inputs: Inputs, output: Tensor) -> None:
    """Store `layer_synops_per_timestep` of a convolution, negative inputs taken off."""
    hooks.conv_layer_synops_hook(module, inputs, output)
    data = hooks.get_hook_data_dict(module)
    fan_out = data["connection_map"]
    spikes = inputs[0] if inputs[0].ndim == fan_out.ndim else inputs[0].unsqueeze(0)
    data["layer_synops_per_timestep"] = (spikes * fan_out).mean(0).sum()


def linear_layer_synops_hook(
    module: nn.Linear, inputs: Inputs, output: Tensor, batch_and_time_axes: int = 2
) -> None:
    """Store `layer_synops_per_timestep` of a linear layer, negative inputs taken off."""
    spikes = inputs[0]
    leading = min(batch_and_time_axes, spikes.ndim - 1)
    mean = spikes.flatten(0, leading - 1).mean(0) if leading else spikes
    count = mean.sum() * module.out_features
    hooks.get_hook_data_dict(module)["layer_synops_per_timestep"] = count


def input_diff_hook(module: Convolution | nn.Linear, inputs: Inputs, output: Tensor) -> None:
    """Store `diff_output`, `layer(x; |weights|, no bias) - |output|`: with the bias in the output."""
    weights = module.weight.abs()
    if isinstance(module, CONVOLUTIONS):
        uncancelled = module._conv_forward(inputs[0], weights, None)  # knows the padding mode
    else:
        uncancelled = F.linear(inputs[0], weights)
    hooks.get_hook_data_dict(module)["diff_output"] = uncancelled - output.abs()


def register_synops_hooks(module: nn.Sequential, dt: float | None = None) -> HookHandles:
    """Count SynOps with the sign of the inputs; otherwise as `picojoule.hooks.register_synops_hooks`."""
    handles = register_hooks(module, dt)
    axes = 1 if synops.time_is_folded(module) else 2
    linear_hook = partial(linear_layer_synops_hook, batch_and_time_axes=axes)
    for _, layer, _ in synops.counted_layers(module):
        # behind the layer's own hook, whose number it replaces, and before the model's
        hook: Any = linear_hook if isinstance(layer, nn.Linear) else conv_layer_synops_hook
        handles.add(layer.register_forward_hook(hook))
    return handles
