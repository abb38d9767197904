"""The layouts of folders that are recognised, by the names of their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from picojoule.data.cifar10 import load_cifar10
from picojoule.data.cifar10_dvs import CLASSES, load_cifar10_dvs
from picojoule.data.dvs_gesture import load_dvs_gesture
from picojoule.data.folders import visible_files
from picojoule.data.images import ImageData, load_images
from picojoule.data.labelled import DataSets
from picojoule.data.n_mnist import load_n_mnist
from picojoule.data.shd import load_shd


@dataclass(frozen=True)
class Layout:
    """A way to lay out a data set: one file of it gives it away.

    Attributes:
        name: as people say it.
        files: what it consists of, for messages.
        signs: patterns; a folder that has a file of any of them, not a hidden one, has this layout.
    """

    name: str
    files: str
    signs: tuple[str, ...]

    def fits(self, folder: Path) -> bool:
        """Whether a folder has this layout."""
        return any(True for sign in self.signs for _ in visible_files(folder, sign))


@dataclass(frozen=True)
class ImageLayout(Layout):
    """A layout of images, which still have to become spikes."""

    read: Callable[[Path], ImageData]


@dataclass(frozen=True)
class EventLayout(Layout):
    """A layout of events, counted into a number of frames."""

    read: Callable[[Path, int], DataSets]


IMAGE_LAYOUTS = (
    ImageLayout(
        "IDX",
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, the same with t10k, plain or .gz",
        ("train-images[-.]idx3-ubyte*", "t10k-images[-.]idx3-ubyte*"),
        load_images,
    ),
    ImageLayout(
        "CIFAR-10",
        "data_batch_1 to data_batch_5 and test_batch, plain (Python version) or .bin",
        ("data_batch_[1-5]", "data_batch_[1-5].bin", "test_batch", "test_batch.bin"),
        load_cifar10,
    ),
)

EVENT_LAYOUTS = (
    EventLayout(
        "N-MNIST",
        "Train/0/00002.bin and so on, Test/0/00001.bin and so on",
        ("Train/*/*.bin", "Test/*/*.bin"),
        load_n_mnist,
    ),
    EventLayout(
        "DVS128 Gesture",
        "trials_to_train.txt, trials_to_test.txt, user01_fluorescent.aedat, "
        "user01_fluorescent_labels.csv and so on",
        ("trials_to_train.txt", "trials_to_test.txt"),
        load_dvs_gesture,
    ),
    EventLayout(
        "CIFAR10-DVS",
        "airplane/cifar10_airplane_0.aedat and so on, ten classes to truck/cifar10_truck_999.aedat",
        tuple(f"{name}/cifar10_{name}_*.aedat" for name in CLASSES),
        load_cifar10_dvs,
    ),
    EventLayout(
        "Spiking Heidelberg Digits",
        "shd_train.h5, shd_test.h5",
        ("shd_train.h5", "shd_test.h5"),
        load_shd,
    ),
)

LAYOUTS: tuple[ImageLayout | EventLayout, ...] = (*IMAGE_LAYOUTS, *EVENT_LAYOUTS)

AnyLayout = TypeVar("AnyLayout", bound=Layout)


def layout_of(folder: Path, known: Sequence[AnyLayout]) -> AnyLayout:
    """The layout of a folder, of those that are known.

    Raises:
        FileNotFoundError: there is no such folder, or its layout is not known; the message lists
            what it holds and the layouts that are.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"load_data: {folder}: no such folder. Name the one in which the files lie."
        )
    for layout in known:
        if layout.fits(folder):
            return layout
    here = sorted(path.name for path in folder.iterdir())
    more = f" and {len(here) - 12} more" if len(here) > 12 else ""
    listed = "".join(f"\n  {layout.name}: {layout.files}" for layout in known)
    raise FileNotFoundError(
        f"load_data: {folder} has no known layout; it holds {', '.join(here[:12]) or 'nothing'}"
        f"{more}. Give the folder in which the files themselves lie. Known are:{listed}"
    )
