"""Labelled images: the bundled ones, or any folder in MNIST's layout."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from picojoule.data.idx import read_idx

BUNDLED = Path(__file__).parent / "fashion_mnist"


class Split(NamedTuple):
    """Images, uint8 `n h w`, and their labels, uint8 `n`."""

    images: Tensor
    labels: Tensor


class ImageData(NamedTuple):
    """The official training and test split."""

    train: Split
    test: Split


def load_images(folder: str | Path | None = None) -> ImageData:
    """Read MNIST, Fashion-MNIST or another data set from the four standard IDX files.

    Args:
        folder: holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`,
            plain or with `.gz`; the bundled subset of Fashion-MNIST if omitted.

    Raises:
        FileNotFoundError: a file is missing; the message lists what is there.
        ValueError: a file is damaged, or images and labels do not go together.

    Example:
        >>> data = load_images()
        >>> data.train.images.shape, data.test.labels.shape
        (torch.Size([6000, 28, 28]), torch.Size([2000]))
    """
    folder = BUNDLED if folder is None else Path(folder)
    return ImageData(train=_split(folder, "train"), test=_split(folder, "t10k"))


def _split(folder: Path, prefix: str) -> Split:
    images_at = _find(folder, f"{prefix}-images-idx3-ubyte")
    labels_at = _find(folder, f"{prefix}-labels-idx1-ubyte")
    images, labels = read_idx(images_at), read_idx(labels_at)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or len(images) == 0:
        raise ValueError(
            f"{images_at} has shape {tuple(images.shape)} and {labels_at} {tuple(labels.shape)}; "
            "expected (n, height, width) and (n,) with the same n >= 1."
        )
    return Split(images, labels)


def _find(folder: Path, name: str) -> Path:
    spellings = [name, name.replace("-idx", ".idx")]
    for spelling in spellings:
        for candidate in (folder / spelling, folder / f"{spelling}.gz"):
            if candidate.is_file():
                return candidate
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder.")
    here = sorted(path.name for path in folder.iterdir())[:12]
    raise FileNotFoundError(
        f"{folder}: {name} (or {name}.gz) is missing; the folder holds {', '.join(here) or 'nothing'}."
    )
