"""AEDAT 4 files written here: a header, then uncompressed packets of events, all flatbuffers by hand."""

import struct

from picojoule.data import Events
from tests.data.prophesee_files import SIZE

VERSION = b"#!AER-DAT4.0\r\n"
_STREAM = (
    """<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/">{}</node></dv>"""
)
_INFO = """<node name="{0}" path="/mainloop/Recorder/outInfo/{0}/">
<attr key="compression" type="string">NONE</attr>
<attr key="originalModuleName" type="string">capture</attr>
<attr key="originalOutputName" type="string">events</attr>
<attr key="typeIdentifier" type="string">{1}</attr>
<node name="info" path="/mainloop/Recorder/outInfo/{0}/info/">
<attr key="sizeX" type="int">{2}</attr><attr key="sizeY" type="int">{3}</attr>
<attr key="source" type="string">camera</attr></node></node>"""


def io_header(streams: dict[int, str], size: tuple[int, int] = SIZE) -> bytes:
    """Size-prefixed table IOHE: compression 0 (none), data table -1, the description."""
    nodes = "".join(_INFO.format(number, kind, *size) for number, kind in streams.items())
    text = _STREAM.format(nodes).encode()
    # table of 20 bytes: i32 at 4, i64 at 8, offset at 16
    vtable = struct.pack("<5H", 10, 20, 4, 8, 16)
    table_at = 8 + len(vtable) + 2  # after root offset, identifier, vtable, padding
    table = struct.pack("<iiqI", table_at - 8, 0, -1, 4)
    string = struct.pack("<I", len(text)) + text + b"\0"
    body = struct.pack("<I", table_at) + b"IOHE" + vtable + b"\0\0" + table + string
    return struct.pack("<I", len(body)) + body


def packet(events: Events, stream: int = 0) -> bytes:
    """Stream, length, and the size-prefixed table EVTS: a vector of 16 bytes an event."""
    rows = zip(*(column.tolist() for column in events), strict=True)
    elements = b"".join(struct.pack("<qhhBxxx", t, x, y, p) for t, x, y, p in rows)
    vtable = struct.pack("<3H", 6, 8, 4)
    table = struct.pack("<iI", 8, 4)  # vtable 8 bytes before; the vector 4 bytes after its offset
    head = struct.pack("<I", 16) + b"EVTS" + vtable + b"\0\0" + table
    body = head + struct.pack("<I", len(events.t_us)) + elements
    sized = struct.pack("<I", len(body)) + body
    return struct.pack("<ii", stream, len(sized)) + sized


def aedat4(*packets: bytes, streams: dict[int, str] | None = None) -> bytes:
    return VERSION + io_header(streams or {0: "EVTS"}) + b"".join(packets)
