"""From images to spikes."""

from __future__ import annotations

import torch
from torch import Tensor


def rate_code(
    images: Tensor,
    num_timesteps: int,
    max_rate: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Spike trains whose rate is the brightness.

        P(spike at a time step) = pixel / 255 * max_rate

    Args:
        images: grey values 0 to 255, uint8, `n h w`.
        num_timesteps: length of the spike trains, >= 1.
        max_rate: spikes per time step of a white pixel, 0 < max_rate <= 1.
        generator: where the random numbers come from; torch's global one if omitted.

    Returns:
        Spikes, 0 or 1, float32, `n t 1 h w`.

    Raises:
        TypeError: the images are not uint8.
        ValueError: their shape is not `n h w`, or a number is out of its range.

    Example:
        >>> spikes = rate_code(torch.full((2, 28, 28), 255, dtype=torch.uint8), num_timesteps=10)
        >>> spikes.shape, spikes.mean().item()
        (torch.Size([2, 10, 1, 28, 28]), 1.0)
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"rate_code: the images are {images.dtype}, expected uint8 grey values.")
    if images.ndim != 3:
        raise ValueError(
            f"rate_code: the images have shape {tuple(images.shape)}, expected (n, h, w)."
        )
    if num_timesteps < 1:
        raise ValueError(
            f"rate_code: num_timesteps is {num_timesteps}, expected num_timesteps >= 1."
        )
    if not 0 < max_rate <= 1:
        raise ValueError(f"rate_code: max_rate is {max_rate}, expected 0 < max_rate <= 1.")
    probability = images.float().mul(max_rate / 255)[:, None, None]
    shape = (len(images), num_timesteps, 1, *images.shape[1:])
    draw = torch.rand(shape, generator=generator, device=images.device)
    return (draw < probability).float()
