"""The IDX format, in which MNIST and its relatives are published."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_UINT8 = 8


def read_idx(path: Path) -> Tensor:
    """Read an IDX file of bytes, plain or gzipped (told by its content, not its name).

        bytes 0-1: 0; byte 2: type, 8 for uint8; byte 3: number of axes;
        then one big-endian uint32 an axis; then the values, last axis fastest

    Args:
        path: the file.

    Returns:
        A uint8 tensor of the shape in the header.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not an IDX file of bytes, or is shorter or longer than its header says.

    Example:
        >>> from picojoule.data import BUNDLED
        >>> read_idx(BUNDLED / "t10k-labels-idx1-ubyte.gz").shape
        torch.Size([2000])

    Source: yann.lecun.com/exdb/mnist, "The IDX file format".
    """
    content = _unpacked(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UINT8:
        raise ValueError(
            f"{path}: not an IDX file of bytes; it starts with {content[:4].hex(' ') or 'nothing'}, expected "
            "00 00 08 and the number of axes."
        )
    header_bytes = 4 + 4 * content[3]
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header_bytes, 4)]
    if len(content) != header_bytes + math.prod(shape):
        raise ValueError(
            f"{path}: the header announces {' x '.join(map(str, shape))} = {math.prod(shape)} bytes, but "
            f"{max(len(content) - header_bytes, 0)} follow. The file is damaged; fetch it again."
        )
    values = np.frombuffer(content, np.uint8, offset=header_bytes)
    return torch.from_numpy(values.reshape(shape).copy())


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the gzip file is damaged ({error}); fetch it again.") from error
