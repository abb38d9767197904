"""CIFAR-10 from its standard files, the Python or the binary version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from picojoule.data.images import ImageData, Split
from picojoule.data.plain_pickle import PickledObject, unpickled

NUM_CLASSES = 10
_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_SHOWN = 200  # characters of what a file holds
_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


def load_cifar10(folder: str | Path) -> ImageData:
    """Read CIFAR-10's six batches: five of the training set, one of the test set.

    The Python version's batches are pickles. Of what a pickle can call, only the parts of a NumPy
    array are let through, and not even those are called: a hostile file runs no code, and takes no more
    memory than it is long.

    Args:
        folder: holds `data_batch_1` to `data_batch_5` and `test_batch`, with `.bin` or without.

    Returns:
        Images, uint8 `n 3 32 32`, and their labels, uint8 `n`.

    Raises:
        FileNotFoundError: a batch is missing.
        ValueError: a batch is damaged, is no batch of CIFAR-10, or has a label beyond 9.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        ...     _ = (folder / name).write_bytes(bytes([7]) + bytes(3072))
        >>> data = load_cifar10(folder)
        >>> data.train.images.shape, data.test.labels
        (torch.Size([5, 3, 32, 32]), tensor([7], dtype=torch.uint8))

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    folder = Path(folder)
    is_binary = (folder / "data_batch_1.bin").is_file()
    suffix, read = (".bin", _read_binary) if is_binary else ("", _read_pickle)
    train = [_batch(folder / f"{name}{suffix}", read) for name in _BATCHES]
    test = _batch(folder / f"test_batch{suffix}", read)
    return ImageData(Split(*map(torch.cat, zip(*train, strict=True))), test)


def _batch(path: Path, read: Callable[[Path], tuple[Tensor, Tensor]]) -> Split:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; CIFAR-10 is data_batch_1 to data_batch_5 and test_batch, all with "
            ".bin or all without."
        )
    images, labels = read(path)
    if labels.max() >= NUM_CLASSES:
        at = int((labels >= NUM_CLASSES).nonzero()[0])
        raise ValueError(f"{path}: the label of image {at} is {labels[at]}, expected 0 to 9.")
    return Split(images.reshape(-1, *_SHAPE), labels)


def _read_binary(path: Path) -> tuple[Tensor, Tensor]:
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % (1 + _PIXELS):
        raise ValueError(
            f"{path}: {content.size} bytes came, expected a multiple of {1 + _PIXELS} (a label and "
            "an image), at least one. The file is damaged; fetch it again."
        )
    records = torch.from_numpy(content.reshape(-1, 1 + _PIXELS))
    return records[:, 1:], records[:, 0].clone()


def _read_pickle(path: Path) -> tuple[Tensor, Tensor]:
    content = _unpickled(path)
    data, labels = content.get(b"data"), content.get(b"labels")
    if not isinstance(data, PickledObject) or not isinstance(labels, list):
        keys = ", ".join(sorted(map(repr, content)))[:_SHOWN]
        raise ValueError(f"{path}: no batch of CIFAR-10; expected b'data', b'labels', not {keys}.")
    images = _array(data, path)
    if not all(isinstance(label, int) and 0 <= label <= 255 for label in labels):
        raise ValueError(f"{path}: b'labels': a label is not 0 to 9.")
    if images.shape != (len(labels), _PIXELS) or not labels:
        raise ValueError(
            f"{path}: b'data' has shape {images.shape} and there are {len(labels)} labels, "
            f"expected (n, {_PIXELS}) and n >= 1 labels."
        )
    return torch.from_numpy(images), torch.tensor(labels, dtype=torch.uint8)


def _array(named: PickledObject, path: Path) -> np.ndarray[Any, Any]:
    """The array that a pickle describes: its state is (version, shape, dtype, is_fortran, bytes)."""
    try:
        _, shape, dtype, is_fortran, content = named.state
        if dtype.arguments[0] not in ("u1", b"u1"):
            shown = repr(dtype.arguments[0])[:_SHOWN]
            raise ValueError(f"its dtype is {shown}, expected 'u1'")
        values = np.frombuffer(content, np.uint8)
        return values.reshape(shape, order="F" if is_fortran else "C").copy()
    except (AttributeError, IndexError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: b'data' is no array of bytes ({error}).") from error


def _unpickled(path: Path) -> dict[Any, Any]:
    try:
        content = unpickled(path.read_bytes())
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(
            f"{path}: not a pickle of CIFAR-10, or a damaged one ({type(error).__name__}: {error})."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, expected a dict of a batch.")
    return content
