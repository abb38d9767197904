"""SynOps of one layer per time step. Differentiable; `spikes` are whatever the layer is given as input."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.synops.fan_out import CONVOLUTIONS, Convolution
from picojoule.synops.magnitudes import sum_of_magnitudes


def conv_synops_per_timestep(spikes: Tensor, fan_out: Tensor) -> Tensor:
    """SynOps of a convolution, mean over the first axis.

        synops = sum over inputs of mean(|spikes|) * fan_out

    Args:
        spikes: input of the layer, `(b t) c *s`, or `c *s` for one step alone.
        fan_out: `1 c *s`, from :func:`conv_fan_out`.

    Returns:
        A scalar, SynOps per time step.

    Example:
        >>> import torch
        >>> layer = nn.Conv2d(1, 2, 3)
        >>> from picojoule.synops import conv_fan_out
        >>> conv_synops_per_timestep(torch.ones(5, 1, 4, 4), conv_fan_out(layer, (1, 4, 4)))
        tensor(72.)
    """
    if spikes.ndim == fan_out.ndim - 1:
        spikes = spikes.unsqueeze(0)
    # multiplied before it is divided, so that whole spikes give exactly sinabs' numbers
    return (sum_of_magnitudes(spikes) * fan_out / max(len(spikes), 1)).sum()


def linear_synops_per_timestep(
    spikes: Tensor, out_features: int, batch_and_time_axes: int = 2
) -> Tensor:
    """SynOps of a linear layer, mean over samples and time steps, sum over what else there is.

        synops = sum over inputs of mean(|spikes|) * out_features

    Args:
        spikes: input of the layer, `b t *n f`; `(b t) f` gives the same, `f` is one step alone.
        out_features: synapses of each input.
        batch_and_time_axes: how many leading axes are samples and time; 1 for `(b t) *n f`.

    Returns:
        A scalar, SynOps per time step.

    Example:
        >>> import torch
        >>> linear_synops_per_timestep(torch.ones(2, 10, 3), out_features=4)
        tensor(12.)
    """
    if spikes.ndim == 1:
        spikes = spikes.unsqueeze(0)
    leading = min(batch_and_time_axes, spikes.ndim - 1)
    steps = math.prod(spikes.shape[:leading])
    spikes = spikes.reshape(steps, *spikes.shape[leading:])
    return (sum_of_magnitudes(spikes) / max(steps, 1)).sum() * out_features


def input_cancellation(layer: Convolution | nn.Linear, data: Tensor, output: Tensor) -> Tensor:
    """How much of a layer's input positive and negative weights cancel in its output.

        difference = layer(data; |weights|, no bias) - |output - bias|

    Args:
        layer: a convolution or linear layer.
        data: its input.
        output: what it gave, `n c *s` or `*n f`.

    Returns:
        The difference, of the shape of `output`; 0 where nothing is cancelled and `data` is not negative.
    """
    bias = layer.bias
    if isinstance(layer, CONVOLUTIONS):
        uncancelled: Tensor = layer._conv_forward(data, layer.weight.abs(), None)
        bias = None if bias is None else bias.reshape(-1, *[1] * (layer.weight.ndim - 2))
    else:
        uncancelled = F.linear(data, layer.weight.abs())
    return uncancelled - (output if bias is None else output - bias).abs()
