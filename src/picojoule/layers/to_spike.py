"""From images and signals to random spikes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Img2SpikeLayer(nn.Module):
    """Turn an image into spike trains whose rates are the brightness: `*c -> t *c`.

        P(spike at a time step) = image / norm * max_rate / 1000

    Args:
        image_shape: shape of the images; kept, not used.
        tw: number of time steps.
        max_rate: rate of a pixel of value `norm`, in spikes per 1000 time steps.
        norm: the value that fires at `max_rate`.
        squeeze: drop axes of length 1 from the output.
        negative_spikes: negative values give spikes of -1 at the rate of their magnitude; otherwise
            they give none.

    Draws from torch's global generator.

    Example:
        >>> Img2SpikeLayer((1, 4, 4), tw=7)(torch.full((1, 4, 4), 255.0)).mean(0).unique()
        tensor([1.])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        tw: int = 100,
        max_rate: float = 1000,
        norm: float = 255.0,
        squeeze: bool = False,
        negative_spikes: bool = False,
    ) -> None:
        super().__init__()
        if tw < 1 or not max_rate > 0 or not norm > 0:
            raise ValueError(
                f"Img2SpikeLayer: tw is {tw}, max_rate {max_rate} and norm {norm}; expected tw >= 1 and "
                "the others > 0."
            )
        self.image_shape = tuple(image_shape)
        self.tw = tw
        self.max_rate = max_rate
        self.norm = norm
        self.squeeze = squeeze
        self.negative_spikes = negative_spikes

    def forward(self, img_input: Tensor) -> Tensor:
        """Spikes for an image."""
        probability = img_input / self.norm * (self.max_rate / 1000)
        draw = torch.rand((self.tw, *img_input.shape), device=img_input.device)
        if self.negative_spikes:
            spikes = (draw < probability.abs()).float() * probability.sign()
        else:
            spikes = (draw < probability).float()
        return spikes.squeeze() if self.squeeze else spikes

    def get_output_shape(self, input_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the spikes at one time step: that of the input."""
        return tuple(input_shape)

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        return f"tw={self.tw}, max_rate={self.max_rate}, norm={self.norm}"


class Sig2SpikeLayer(nn.Module):
    """Turn analogue signals into spike trains, or repeat them: `c t -> (t tw) c`.

        P(spike at a time step) = signal / norm_level

    Args:
        channels_in: number of signals.
        tw: time steps that a sample of the signal lasts.
        norm_level: the value that fires at every step.
        spk_out: draw spikes; otherwise the signal itself is given out.

    Draws from torch's global generator.

    Raises:
        ValueError: from the forward pass, if the input is not `channels_in t`.

    Example:
        >>> Sig2SpikeLayer(2, tw=2)(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        tensor([[1., 0.],
                [1., 0.],
                [0., 1.],
                [0., 1.]])
    """

    def __init__(
        self, channels_in: int, tw: int = 1, norm_level: float = 1, spk_out: bool = True
    ) -> None:
        super().__init__()
        if tw < 1 or not norm_level > 0:
            raise ValueError(
                f"Sig2SpikeLayer: tw is {tw} and norm_level {norm_level}; expected tw >= 1 and norm_level > 0."
            )
        self.channels_in = channels_in
        self.tw = tw
        self.norm_level = norm_level
        self.spk_out = spk_out

    def forward(self, signal: Tensor) -> Tensor:
        """Spikes, or the signal repeated, for a signal `c t`."""
        if signal.ndim != 2 or len(signal) != self.channels_in:
            raise ValueError(
                f"Sig2SpikeLayer: the signal has shape {tuple(signal.shape)}, expected "
                f"(channels, time) with {self.channels_in} channels."
            )
        stretched = signal.T.repeat_interleave(self.tw, dim=0)
        if not self.spk_out:
            return stretched
        return (torch.rand_like(stretched) < stretched / self.norm_level).to(signal.dtype)

    def get_output_shape(self, input_shape: Sequence[int]) -> tuple[int, int]:
        """Shape of the output for a signal of shape `c t`."""
        channels, time = input_shape
        return self.tw * time, channels

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        return f"channels_in={self.channels_in}, tw={self.tw}, norm_level={self.norm_level}"
