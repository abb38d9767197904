"""Images as training and test sets of saccades."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events
from picojoule.data.images import ImageData
from picojoule.data.labelled import DataSets
from picojoule.data.saccades import saccade

_REACH = 3
_SACCADE_US = 100_000


def saccade_data(images: ImageData, num_timesteps: int = 5) -> DataSets:
    """Training and test images as frames of the events of `saccade`, with its defaults.

    Frames are `t 2 H W`, H and W six pixels more than the images'; they span the three saccades in
    equal parts, so that with 3, 6, ... frames each belongs to one saccade. Events are made when a
    sample is first asked for, about 2 ms each, quickest by whole batches; see `EventFrames` for
    what is kept.

    Args:
        images: as `load_images` or `load_cifar10` gives them.
        num_timesteps: frames a sample, >= 1.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> from picojoule.data import load_images
        >>> frames, label = saccade_data(load_images(), num_timesteps=6).train[0]
        >>> frames.shape, label
        (torch.Size([6, 2, 34, 34]), 9)
    """
    num_classes = int(max(split.labels.max() for split in images)) + 1
    return DataSets(
        *(
            EventFrames(
                _Watched(split.images),
                split.labels,
                num_timesteps,
                (2, *(side + 2 * _REACH for side in split.images.shape[-2:])),
                window_us=(1, 3 * _SACCADE_US + 1),
                num_classes=num_classes,
                where="image {}".format,
            )
            for split in images
        )
    )


class _Watched:
    """What the moving camera sends of each image, made when it is asked for."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int, /) -> Events:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Events]:
        return saccade(self.images[list(indices)], reach=_REACH, saccade_us=_SACCADE_US)
