"""AEDAT 2.0 of the DVS128 camera, the format in which CIFAR10-DVS is published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from picojoule.data.events import Events

_VERSION = b"#!AER-DAT2.0"
_EVENT_BYTES = 8
_LAST = 127  # of 128 columns and rows
_SYNC = 0x8000  # marks a pulse on the camera's plug
_HIGHEST = 0xFFFF


def read_aedat2(path: Path) -> Events:
    r"""The events of a recording of the DVS128, in AEDAT 2.0.

    Lines that begin with `#` come first, then 8 bytes an event, two big-endian words:

        address, bit 0: polarity, 0 is ON;  1-7: a;  8-14: b;   x = 127 - b, y = 127 - a
        time, in microseconds modulo 2^32

    Columns and rows change places, as in other readers of CIFAR10-DVS: its images stand upright so. Bit 15
    marks a pulse on the camera's plug, which is no event.

    Args:
        path: a file such as `airplane/cifar10_airplane_0.aedat`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no AEDAT 2.0 file, holds no events or half of one, or has an address that is
            none of a DVS128; the message names the file and the event.

    Example:
        >>> path = getfixture("tmp_path") / "cifar10_airplane_0.aedat"
        >>> _ = path.write_bytes(b"#!AER-DAT2.0\r\n" + bytes([0, 0, 3, 5, 0, 0, 0, 9]))
        >>> read_aedat2(path)
        Events(t_us=tensor([9]), x=tensor([124]), y=tensor([125]), p=tensor([0]))

    Source: jAER's DVS128 (address, polarity) and AEDAT 2.0; SpikingJelly's `CIFAR10DVS` (axes).
    """
    content = path.read_bytes()
    if not content.startswith(_VERSION):
        raise ValueError(
            f"{path}: no AEDAT 2.0 file; it starts with {content[:14]!r}, expected {_VERSION!r}."
        )
    first = _end_of_header(content)
    num_bytes = len(content) - first
    if num_bytes % _EVENT_BYTES or num_bytes == 0:
        raise ValueError(
            f"{path}: {num_bytes} bytes follow the header of {first}, expected a multiple of "
            f"{_EVENT_BYTES} (an event), at least one. The file is damaged; fetch it again."
        )
    address, time = np.frombuffer(content, ">u4", offset=first).astype(np.uint32).reshape(-1, 2).T
    if (address > _HIGHEST).any():
        at = int((address > _HIGHEST).argmax())
        raise ValueError(
            f"{path}: the address of event {at} is {address[at]:#x}, expected at most {_HIGHEST:#x}, as "
            "of a DVS128. The file is damaged, or of another camera."
        )
    bits = address.astype(np.int64)
    x, y, p = _LAST - (bits >> 8 & _LAST), _LAST - (bits >> 1 & _LAST), 1 - (bits & 1)
    columns = np.stack([_unwrapped(time), x, y, p])
    return Events(*torch.from_numpy(columns[:, address < _SYNC]))


def _unwrapped(time: np.ndarray) -> np.ndarray:
    """Times that go on where 32 bits began anew: two neighbours are less than 2^31 us apart."""
    passed = np.diff(time).view(np.int32).astype(np.int64)  # modulo 2^32, the nearer of both ways
    return np.int64(time[0]) + np.concatenate([[0], np.cumsum(passed)])


def _end_of_header(content: bytes) -> int:
    """The first byte of a line that does not begin with `#`."""
    at = 0
    while content[at : at + 1] == b"#":
        end = content.find(b"\n", at)
        at = len(content) if end < 0 else end + 1
    return at
