"""What every data set here is: numbered samples, a label each, an epoch that draws anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

_WORD = 2**64


class DataSets(NamedTuple):
    """A training and a test set, each with `len(d)` and `d[i] -> (frames, label)`.

    Frames are float32 with time first, `t *f`; labels are ints.
    """

    train: Dataset[tuple[Tensor, int]]
    test: Dataset[tuple[Tensor, int]]


class Labelled(Dataset[tuple[Tensor, int]]):
    """Base of the data sets: labels, the number of classes and the epoch.

    The epoch lies in shared memory, so that workers that outlive an epoch
    (`DataLoader(persistent_workers=True)`) see it change.

    Args:
        labels: the class of each sample, any integer dtype, `n`, n >= 1.
        num_classes: labels are 0 to num_classes - 1; one more than the highest if omitted.
        redrawn: whether `set_epoch` draws new noise; a test set's stays as it is.
        where: what messages call the labels, a file's name for instance.

    Raises:
        TypeError: the labels are not integers.
        ValueError: there is no label, they are not `n`, or one is out of its range.
    """

    def __init__(
        self,
        labels: Tensor,
        num_classes: int | None = None,
        *,
        redrawn: bool = True,
        where: str = "labels",
    ) -> None:
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise TypeError(f"{where}: the labels are {labels.dtype}, expected integers.")
        if labels.ndim != 1 or len(labels) == 0:
            raise ValueError(
                f"{where}: the labels have shape {tuple(labels.shape)}, expected (n,) with n >= 1."
            )
        self.labels = labels.to(torch.int64)
        self.num_classes = int(self.labels.max()) + 1 if num_classes is None else num_classes
        outside = (self.labels < 0) | (self.labels >= self.num_classes)
        if outside.any():
            at = int(outside.nonzero()[0])
            raise ValueError(
                f"{where}: the label of sample {at} is {int(self.labels[at])}, expected 0 to "
                f"{self.num_classes - 1}."
            )
        self._redrawn = redrawn
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.labels)

    def set_epoch(self, epoch: int) -> None:
        """Draw anew what is random in a training sample; a test set stays as it is.

        Args:
            epoch: >= 0; the same epoch gives the same samples again.

        Raises:
            ValueError: the epoch is negative.
        """
        if epoch < 0:
            raise ValueError(f"{type(self).__name__}.set_epoch: epoch is {epoch}, expected >= 0.")
        if self._redrawn:
            self._epoch.fill_(epoch)

    def _position(self, index: int) -> int:
        """The index counted from the start: -1 is the last sample."""
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(
                f"{type(self).__name__}: sample {index} is asked for, there are {len(self)}."
            )
        return position

    def _random_words(self, seed: int, index: int, count: int) -> np.ndarray:
        """Random bits of one sample, uint64 `count`: a function of (seed, epoch, index) only.

        Philox is counter-based: (seed, epoch) is its key, the sample the upper half of its counter,
        so that no two samples share a number; held-out sets count apart from training sets.

        Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
        """
        key = np.array([seed % _WORD, int(self._epoch)], np.uint64)
        counter = np.array([0, 0, index, 0 if self._redrawn else 1], np.uint64)
        words: np.ndarray = np.random.Philox(key=key, counter=counter).random_raw(count)
        return words
