"""Labelled images as spike trains."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from picojoule.data.labelled import Labelled

_DRAWS = 2**31  # a draw is a whole number below it: 32 random bits less the lowest


class RateCoded(Labelled):
    """Images as spike trains whose rate is the brightness.

        P(spike at a time step) = pixel / 255 * max_rate

    The spikes of a sample follow from (seed, epoch, index) alone: not from the batch it comes in,
    the order, the process or the worker. Images are kept as bytes, and coded when asked for.

    Args:
        images: uint8 0 to 255, `n h w` (grey) or `n c h w`.
        labels: the class of each image, any integer dtype, `n`.
        num_timesteps: length of the spike trains, >= 1.
        max_rate: spikes per time step of a full-scale pixel, 0 < max_rate <= 1.
        seed: of the noise.
        num_classes: labels are 0 to num_classes - 1; one more than the highest if omitted.
        redrawn: whether `set_epoch` draws new spikes; False for a test set.

    Samples are `(frames, label)`: float32 0 or 1, `t c h w` (c = 1 for grey), and an int. A list of
    indices is quicker as `d.__getitems__(indices)`, which a `DataLoader` calls by itself.

    Raises:
        TypeError: the images are not uint8, or the labels not integers.
        ValueError: a shape does not fit, or a number is out of its range.

    Example:
        >>> images, labels = torch.full((2, 28, 28), 255, dtype=torch.uint8), torch.tensor([3, 1])
        >>> data = RateCoded(images, labels, num_timesteps=10)
        >>> frames, label = data[0]
        >>> frames.shape, frames.mean().item(), label
        (torch.Size([10, 1, 28, 28]), 1.0, 3)
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        num_timesteps: int = 5,
        max_rate: float = 1.0,
        seed: int = 0,
        *,
        num_classes: int | None = None,
        redrawn: bool = True,
    ) -> None:
        super().__init__(labels, num_classes, redrawn=redrawn, where="RateCoded")
        _check(images, len(labels), num_timesteps, max_rate)
        self.images = images if images.ndim == 4 else images[:, None]
        self.num_timesteps, self.max_rate, self.seed = num_timesteps, max_rate, seed
        brightness = torch.arange(256, dtype=torch.float64) / 255
        self._limit_of_pixel = (brightness * max_rate * _DRAWS).round().numpy().astype(np.uint32)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """The spikes of one image, `t c h w`, and its label."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """The samples of a batch."""
        if len(indices) == 0:
            return []
        positions = [self._position(int(index)) for index in indices]
        pixels = self.images[positions].numpy()
        values = self.num_timesteps * math.prod(pixels.shape[1:])
        words = [self._random_words(self.seed, at, (values + 1) // 2) for at in positions]
        draws = np.stack(words).view(np.uint32)[:, :values] >> 1
        draws = draws.reshape(len(positions), self.num_timesteps, *pixels.shape[1:])
        spikes = torch.from_numpy(draws < self._limit_of_pixel[pixels][:, None])
        labels = self.labels[positions].tolist()
        return list(zip(spikes.float().unbind(), labels, strict=True))


def _check(images: Tensor, num_labels: int, num_timesteps: int, max_rate: float) -> None:
    if images.dtype != torch.uint8:
        raise TypeError(f"RateCoded: the images are {images.dtype}, expected uint8 0 to 255.")
    if images.ndim not in (3, 4) or len(images) != num_labels:
        raise ValueError(
            f"RateCoded: the images have shape {tuple(images.shape)} and there are {num_labels} "
            "labels; expected (n, h, w) or (n, c, h, w) and n labels."
        )
    if num_timesteps < 1:
        raise ValueError(f"RateCoded: num_timesteps is {num_timesteps}, expected >= 1.")
    if not 0 < max_rate <= 1:
        raise ValueError(f"RateCoded: max_rate is {max_rate}, expected 0 < max_rate <= 1.")
