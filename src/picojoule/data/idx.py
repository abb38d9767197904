"""The IDX format, in which MNIST and its relatives are published."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from picojoule.hdf5 import size_limit

_UINT8 = 8
_MOST_AXES, _MOST_PLACES = 8, 2**62
_GZIP = b"\x1f\x8b"


def read_idx(path: str | Path) -> Tensor:
    """Read an IDX file of bytes, plain or gzipped (told by its content, not its name).

        bytes 0-1: 0; byte 2: type, 8 for uint8; byte 3: number of axes;
        then one big-endian uint32 an axis; then the values, last axis fastest

    Args:
        path: the file.

    Returns:
        A uint8 tensor of the shape in the header.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not an IDX file of bytes, has more than 8 axes, is shorter or longer than its
            header says, or would unfold to more than 16 times its size and 256 MiB.

    Example:
        >>> from picojoule.data import BUNDLED
        >>> read_idx(BUNDLED / "t10k-labels-idx1-ubyte.gz").shape
        torch.Size([2000])

    Source: yann.lecun.com/exdb/mnist, "The IDX file format".
    """
    path = Path(path)
    with path.open("rb") as file:
        is_zipped = file.read(2) == _GZIP
    limit = size_limit(path) if is_zipped else path.stat().st_size
    try:
        with gzip.open(path) if is_zipped else path.open("rb") as file:
            return _read(cast("BinaryIO", file), path, limit, is_zipped)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the gzip file is damaged ({error}); fetch it again.") from error


def _read(file: BinaryIO, path: Path, limit: int, is_zipped: bool) -> Tensor:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] != _UINT8 or start[3] > _MOST_AXES:
        raise ValueError(
            f"{path}: not an IDX file of bytes; it starts with {start.hex(' ') or 'nothing'}, expected "
            f"00 00 08 and the number of axes, at most {_MOST_AXES}."
        )
    sides = file.read(4 * start[3])
    if len(sides) < 4 * start[3]:
        raise ValueError(
            f"{path}: it ends within its header, of {start[3]} axes. The file is cut short; fetch it again."
        )
    shape = [int.from_bytes(sides[at : at + 4], "big") for at in range(0, 4 * start[3], 4)]
    announced = math.prod(shape)
    announces = f"{path}: the header announces {' x '.join(map(str, shape))} = {announced} bytes"
    if announced > limit or math.prod(side or 1 for side in shape) > _MOST_PLACES:
        way_on = " Unpack it yourself if it is really that large." if is_zipped else ""
        raise ValueError(
            f"{announces}, and a file of this size may hold {limit:,}. The file is damaged; fetch it "
            f"again.{way_on}"
        )
    content = file.read(announced + 1)  # one more shows whether more follows
    if len(content) != announced:
        follow = len(content) if len(content) <= announced else f"more than {announced}"
        raise ValueError(f"{announces}, but {follow} follow. The file is damaged; fetch it again.")
    return torch.from_numpy(np.frombuffer(content, np.uint8).reshape(shape).copy())
