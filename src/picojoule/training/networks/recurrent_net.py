"""A small recurrent network for spike trains without a place, such as those of SHD."""

from __future__ import annotations

from torch import nn

from picojoule.layers import LIF, LIFRecurrent


def recurrent_net(
    inputs: int, num_classes: int, *, hidden: int = 128, tau_mem: float = 20.0
) -> nn.Sequential:
    """Recurrent LIF neurons and a layer of LIF neurons that answer: `b t n -> b t classes`.

    Args:
        inputs: n, channels of the input.
        num_classes: outputs.
        hidden: recurrent neurons.
        tau_mem: membrane time constant in time steps.

    Example:
        >>> import torch
        >>> recurrent_net(700, 20)(torch.ones(2, 5, 700)).shape
        torch.Size([2, 5, 20])
    """
    feedback = nn.Linear(hidden, hidden, bias=False)
    nn.init.orthogonal_(feedback.weight, gain=0.5)  # neither dies out nor runs away at the start
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        LIFRecurrent(tau_mem, feedback, norm_input=False),
        nn.Linear(hidden, num_classes, bias=False),
        LIF(tau_mem, norm_input=False),
    )
