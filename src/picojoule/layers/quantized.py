"""Activations in whole numbers, for ANNs that are to become SNNs."""

from __future__ import annotations

from torch import Tensor, nn

from picojoule.activation import Quantize, StochasticRounding


class QuantizeLayer(nn.Module):
    """Round down with an identity gradient.

    Args:
        quantize: False lets values through as they are.

    Example:
        >>> import torch
        >>> QuantizeLayer()(torch.tensor([1.7, -0.2]))
        tensor([ 1., -1.])
    """

    def __init__(self, quantize: bool = True) -> None:
        super().__init__()
        self.quantize = quantize

    def forward(self, data: Tensor) -> Tensor:
        """`data`, rounded down."""
        return Quantize.apply(data) if self.quantize else data

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        return f"quantize={self.quantize}"


class NeuromorphicReLU(nn.Module):
    """A ReLU that gives whole numbers, as a spiking neuron does over time, and counts its output.

        y = floor(max(x, 0)),   dy/dx := 1 where x > 0

    `activity` is the last output's sum over all but the first axis, mean over the first, times
    `fanout`: the SynOps per sample that the next layer will spend. It carries its gradient.

    Args:
        quantize: False leaves out the rounding.
        fanout: synapses of each output.
        stochastic_rounding: round at random in training, right on average. Evaluation rounds to the
            nearest, with the same gradient. (sinabs has none there.)

    Example:
        >>> import torch
        >>> layer = NeuromorphicReLU(fanout=3)
        >>> layer(torch.tensor([[1.7, -2.0, 2.2]])), layer.activity
        (tensor([[1., 0., 2.]]), tensor(9.))

    Source: Sorbaro et al. 2020, Front. Neurosci. 14:662, doi 10.3389/fnins.2020.00662.
    """

    activity: Tensor | None = None

    def __init__(
        self, quantize: bool = True, fanout: float = 1, stochastic_rounding: bool = False
    ) -> None:
        super().__init__()
        self.quantize = quantize
        self.fanout = fanout
        self.stochastic_rounding = stochastic_rounding

    def forward(self, data: Tensor) -> Tensor:
        """The rectified and rounded input."""
        output: Tensor = nn.functional.relu(data)
        if self.quantize and not self.stochastic_rounding:
            output = Quantize.apply(output)
        elif self.quantize and self.training:
            output = StochasticRounding.apply(output)
        elif self.quantize:
            output = output + (output.round() - output).detach()
        self.activity = output.sum() / max(len(output), 1) * self.fanout
        return output

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        return f"quantize={self.quantize}, fanout={self.fanout}, stochastic_rounding={self.stochastic_rounding}"

    def __getstate__(self) -> dict[str, object]:
        """What copies and pickles carry: the activity without its gradient history."""
        activity = None if self.activity is None else self.activity.detach()
        return {**self.__dict__, "activity": activity}
