"""The layouts of folders that are recognised, by the names of their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from picojoule.data.cifar10 import load_cifar10
from picojoule.data.images import ImageData, load_images
from picojoule.data.labelled import DataSets
from picojoule.data.n_mnist import load_n_mnist
from picojoule.data.rate_coded import RateCoded


@dataclass(frozen=True)
class Coding:
    """How samples become frames: the arguments of `load_data`."""

    num_timesteps: int
    max_rate: float
    seed: int


@dataclass(frozen=True)
class Layout:
    """A way to lay out a data set: one file of it gives it away.

    Attributes:
        name: as people say it.
        files: what it consists of, for messages.
        signs: patterns; a folder that has a file of any of them has this layout.
        load: reads it.
    """

    name: str
    files: str
    signs: tuple[str, ...]
    load: Callable[[Path, Coding], DataSets]

    def fits(self, folder: Path) -> bool:
        """Whether a folder has this layout."""
        return any(True for sign in self.signs for _ in folder.glob(sign))


def rate_coded(images: ImageData, coding: Coding) -> DataSets:
    """Training and test images as spike trains: the first drawn anew each epoch, the second never."""
    num_classes = int(max(images.train.labels.max(), images.test.labels.max())) + 1
    train, test = (
        RateCoded(
            *split,
            coding.num_timesteps,
            coding.max_rate,
            coding.seed,
            num_classes=num_classes,
            redrawn=split is images.train,
        )
        for split in images
    )
    return DataSets(train, test)


IMAGE_LAYOUTS: dict[str, Callable[[Path], ImageData]] = {
    "IDX": load_images,
    "CIFAR-10": load_cifar10,
}

LAYOUTS = (
    Layout(
        "IDX",
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, the same with t10k, plain or .gz",
        ("train-images[-.]idx3-ubyte*", "t10k-images[-.]idx3-ubyte*"),
        lambda folder, coding: rate_coded(load_images(folder), coding),
    ),
    Layout(
        "CIFAR-10",
        "data_batch_1 to data_batch_5 and test_batch, plain (Python version) or .bin",
        ("data_batch_[1-5]", "data_batch_[1-5].bin", "test_batch", "test_batch.bin"),
        lambda folder, coding: rate_coded(load_cifar10(folder), coding),
    ),
    Layout(
        "N-MNIST",
        "Train/0/00002.bin and so on, Test/0/00001.bin and so on",
        ("Train/*/*.bin", "Test/*/*.bin"),
        lambda folder, coding: load_n_mnist(folder, coding.num_timesteps),
    ),
)


def layout_of(folder: Path) -> Layout:
    """The layout of a folder.

    Raises:
        FileNotFoundError: there is no such folder, or its layout is not known; the message lists
            what it holds and the layouts that are.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"load_data: {folder}: no such folder.")
    for layout in LAYOUTS:
        if layout.fits(folder):
            return layout
    here = sorted(path.name for path in folder.iterdir())
    more = f" and {len(here) - 12} more" if len(here) > 12 else ""
    known = "".join(f"\n  {layout.name}: {layout.files}" for layout in LAYOUTS)
    raise FileNotFoundError(
        f"load_data: {folder} has no known layout; it holds {', '.join(here[:12]) or 'nothing'}"
        f"{more}. Give the folder in which the files lie. Known are:{known}"
    )
