"""Arrays of numbers in NumPy's own files."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from picojoule.data.whole_numbers import whole_numbers

_Array = np.ndarray[Any, Any]

_MOST_AXES, _MOST_PLACES = 32, 2**62
_LONGEST_HEADER = 2**16
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(path: Path) -> Tensor:
    """The array in an `.npy` file; whole numbers stay whole numbers.

    Args:
        path: what `numpy.save` wrote.

    Returns:
        int64 of any integers, float32 of any floats, or booleans, of the shape in the header.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no `.npy` file of numbers, is shorter or longer than its header says, or has a
            number beyond int64; the message names the file and what is wrong in it.

    Example:
        >>> path = getfixture("tmp_path") / "tokens.npy"
        >>> np.save(path, np.array([[3, 1]], np.uint16))
        >>> read_npy(path)
        tensor([[3, 1]])

    Source: NumPy, "numpy.lib.format".
    """
    with path.open("rb") as file:
        shape, is_fortran, dtype = npy_header(file, path)
        numbers = _numbers(np.frombuffer(file.read(), dtype), path)
    return torch.from_numpy(numbers.reshape(shape, order="F" if is_fortran else "C"))


def npy_header(
    file: BinaryIO, path: Path, kinds: str = "biuf"
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """What is announced: shape, whether in Fortran's order, dtype; the file is left where the values begin.

    Args:
        file: open, at its begin.
        path: its name, for messages.
        kinds: of dtypes that are expected, as NumPy abbreviates them; "V" is one with fields.

    Raises:
        ValueError: the header is damaged, or announces another kind, or more or fewer bytes than follow.
    """
    # NumPy takes the memory that a length in it names
    start = io.BytesIO(file.read(_LONGEST_HEADER))
    try:
        version = np.lib.format.read_magic(start)
        shape, is_fortran, dtype = _READ_HEADER[version](start)
    except Exception as error:  # it is Python's text: a damaged one raises nearly anything
        raise ValueError(
            f"{path}: no .npy file, or its header is damaged ({type(error).__name__}: {error})."
        ) from error
    file.seek(start.tell())
    if dtype.kind not in kinds or dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"{path}: holds {dtype}, expected numbers.")
    possible = len(shape) <= _MOST_AXES and all(side >= 0 for side in shape)
    if not possible or math.prod(side or 1 for side in shape) > _MOST_PLACES:
        raise ValueError(
            f"{path}: the header announces shape {shape}, expected at most {_MOST_AXES} sides, none "
            "negative."
        )
    announced = math.prod(shape) * dtype.itemsize
    left = path.stat().st_size - file.tell()
    if announced != left:
        raise ValueError(
            f"{path}: the header announces {' x '.join(map(str, shape))} numbers of {dtype}, which "
            f"are {announced} bytes, but {left} follow. The file is damaged; save it again."
        )
    return shape, is_fortran, dtype


def _numbers(values: _Array, path: Path) -> _Array:
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            return values.astype(np.float32)
    if values.dtype.kind == "b":
        return np.not_equal(values.view(np.uint8), 0)
    return whole_numbers(values, f"{path}: number")
