"""Still images before a moving event camera."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from picojoule.data.events import Events

_Array = np.ndarray[Any, Any]

_TRIANGLE = np.array([[-1, 1], [0, -1], [1, 1], [-1, 1]])  # corners, x and y, in units of reach
_PER_PIXEL = 16  # positions the image can take between two pixels
_WHITE = 255 * _PER_PIXEL  # brightness of a white pixel, in whole numbers
_PER_THRESHOLD = 2**12  # likewise, a threshold
_LEAST_THRESHOLD = 1e-4  # levels are counted in 32 bits
_DARK = 0.1  # light that reaches a pixel of a black image, as a share of a white one's
_AT_ONCE = 50  # images whose levels stay in the processor's cache
_RED_GREEN_BLUE = np.array([299, 587, 114]).reshape(3, 1, 1)  # luma, ITU-R BT.601, in thousandths


def saccade(
    images: Tensor,
    *,
    threshold: float = 0.3,
    reach: int = 3,
    log: bool = True,
    saccade_us: int = 100_000,
    step_us: int = 2_000,
) -> list[Events]:
    """Events of a camera that looks at each image in three saccades along a triangle.

        level = ln(pixel / 255 + 0.1)     (log = False: pixel / 255)
        an event whenever level has moved by threshold since the last: ON up, OFF down

    The image moves from the lower left to the top, to the lower right and back, along the sides of
    an isosceles triangle, each time from rest to rest (a cosine). Around it all is black. Pixels
    between positions are interpolated. Everything is done in whole numbers, so that an image gives
    the same events in any batch. There is no noise.

    Args:
        images: uint8 0 to 255, `n h w`, or `n 3 h w` of which the luma counts.
        threshold: change of level that makes an event, >= 1e-4. At 0.3, black to white makes 7.
        reach: furthest shift of the image up, down, left and right, in pixels, >= 1.
        log: whether a pixel answers to the logarithm of brightness, as event cameras do.
        saccade_us: length of a saccade, a multiple of step_us.
        step_us: time between two positions, >= 1; several events of a pixel within a step are
            spread evenly over it.

    Returns:
        Events of each image, by time, 0 < t_us <= 3 * saccade_us, on a sensor `(2, H, W)` with
        `H = h + 2 * reach` and `W = w + 2 * reach`: for 28 x 28 and a reach of 3 the 34 x 34 of
        N-MNIST.

    Raises:
        TypeError: the images are not uint8.
        ValueError: their shape does not fit, or a number is out of its range.

    Example:
        >>> image = torch.zeros(1, 28, 28, dtype=torch.uint8)
        >>> image[:, 10:18, 13:15] = 255
        >>> events = saccade(image)[0]
        >>> len(events.t_us), events.t_us.max().item() <= 300_000, events.p.unique().tolist()
        (1696, True, [0, 1])

    Source: Orchard et al. 2015, "Converting static image datasets to spiking neuromorphic datasets
    using saccades" (their camera moved before a screen; the response to brightness is that of an
    ideal event camera, Lichtsteiner et al. 2008).
    """
    _check(images, threshold, reach, saccade_us, step_us)
    level_of, offsets = _levels(threshold, log), _offsets(reach, saccade_us // step_us)
    return [
        events
        for part in torch.split(images, _AT_ONCE)
        for events in _watched(_Moving(_grey(part), reach), level_of, offsets, step_us)
    ]


def _grey(images: Tensor) -> _Array:
    values: _Array = images.numpy()
    return values if values.ndim == 3 else (values * _RED_GREEN_BLUE).sum(1) // 1000


def _watched(moving: _Moving, level_of: _Array, offsets: _Array, step_us: int) -> list[Events]:
    reference = level_of[moving.seen(offsets[0])]
    steps = []
    for number, offset in enumerate(offsets[1:]):
        change = level_of[moving.seen(offset)] - reference
        crossed = np.flatnonzero(np.abs(change) >= _PER_THRESHOLD)
        towards = np.sign(change[crossed])
        count = np.abs(change[crossed]) // _PER_THRESHOLD
        reference[crossed] += towards * count * _PER_THRESHOLD
        steps.append(_spread(crossed, towards, count, number * step_us, step_us))
    return _by_image(np.concatenate(steps, axis=1), len(moving.padded), moving.size)


class _Moving:
    """Images and how a sensor sees them, shifted: brightness 0 to `_WHITE`, flat."""

    def __init__(self, grey: _Array, reach: int) -> None:
        self.size = (grey.shape[1] + 2 * reach, grey.shape[2] + 2 * reach)
        self.reach = reach
        around = (2 * reach, 2 * reach + 1)  # one more: interpolation looks at the next pixel
        self.padded = np.pad(grey.astype(np.uint16), ((0, 0), around, around))

    def seen(self, offset: _Array) -> _Array:
        (column, right), (row, down) = (
            divmod(self.reach * _PER_PIXEL - int(shift), _PER_PIXEL) for shift in offset
        )
        height, width = self.size
        rows = self.padded[:, row : row + height + 1]
        rows = _between(rows[:, :-1], rows[:, 1:], down)
        columns = rows[:, :, column : column + width + 1]
        both = _between(columns[:, :, :-1], columns[:, :, 1:], right)
        return (both // _PER_PIXEL).ravel()


def _between(near: _Array, far: _Array, sixteenths: int) -> _Array:
    """16 times the value in between; twice over, 255 * 16 * 16, it still fits into 16 bits."""
    result: _Array = near * np.uint16(_PER_PIXEL - sixteenths) + far * np.uint16(sixteenths)
    return result


def _levels(threshold: float, log: bool) -> _Array:
    """The level of each brightness, in 1 / `_PER_THRESHOLD` of a threshold."""
    share = np.arange(_WHITE + 1) / _WHITE
    level = np.log(share + _DARK) if log else share
    return np.rint(level / threshold * _PER_THRESHOLD).astype(np.int32)


def _offsets(reach: int, steps: int) -> _Array:
    """Where the image is after each step, x and y, in 1 / `_PER_PIXEL` of a pixel."""
    way = (1 - np.cos(np.pi * np.arange(1, steps + 1) / steps)) / 2
    sides = [a + way[:, None] * (b - a) for a, b in pairwise(_TRIANGLE)]
    ways: _Array = np.concatenate([_TRIANGLE[:1], *sides]) * reach * _PER_PIXEL
    return np.rint(ways).astype(np.int64)


def _spread(place: _Array, towards: _Array, count: _Array, start_us: int, step_us: int) -> _Array:
    """The events of a step, by time: t_us, place, p; int64 `3 n`."""
    total = np.repeat(count, count)
    first = np.cumsum(count) - count
    nth = np.arange(len(total)) - np.repeat(first, count) + 1
    t_us = start_us + -(-step_us * nth // total)  # rounded up: after the step before
    events = np.stack([t_us, np.repeat(place, count), np.repeat(towards > 0, count)])
    return events[:, np.argsort(t_us, kind="stable")] if (count > 1).any() else events


def _by_image(events: _Array, num_images: int, size: tuple[int, int]) -> list[Events]:
    height, width = size
    t_us, place, p = events
    image = place // (height * width)
    order = np.argsort(image.astype(np.min_scalar_type(num_images)), kind="stable")
    columns = np.stack([t_us, place % width, place // width % height, p])[:, order]
    ends = np.cumsum(np.bincount(image, minlength=num_images))[:-1]
    return [Events(*torch.from_numpy(part.copy())) for part in np.split(columns, ends, axis=1)]


def _check(images: Tensor, threshold: float, reach: int, saccade_us: int, step_us: int) -> None:
    if images.dtype != torch.uint8:
        raise TypeError(f"saccade: the images are {images.dtype}, expected uint8 0 to 255.")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[1] != 3) or not len(images):
        raise ValueError(
            f"saccade: the images have shape {tuple(images.shape)}, expected (n, h, w) or "
            "(n, 3, h, w) with n >= 1."
        )
    if not threshold >= _LEAST_THRESHOLD:
        raise ValueError(f"saccade: threshold is {threshold}, expected >= {_LEAST_THRESHOLD}.")
    if reach < 1:
        raise ValueError(f"saccade: reach is {reach}, expected >= 1.")
    if step_us < 1 or saccade_us < step_us or saccade_us % step_us:
        raise ValueError(
            f"saccade: saccade_us is {saccade_us} and step_us {step_us}; expected step_us >= 1 and "
            "a multiple of it."
        )
