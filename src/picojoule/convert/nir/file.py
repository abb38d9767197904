"""A `.nir` file as a graph: HDF5 of unknown origin, read field by field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from picojoule.convert.nir.fields import KINDS, check_fields, unreadable
from picojoule.hdf5 import refuse_foreign_storage, size_limit

MOST_EDGES = 1_000_000
_ROWS_AT_ONCE = 128


def read_file(path: Path) -> nir.NIRNode:
    """The graph, or node, that a file holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no NIR file, or a damaged or hostile one; the message names file, node and field.
        NotImplementedError: it has a node of a type without a layer here.
    """
    if not path.is_file():
        raise FileNotFoundError(f"from_nir: there is no file {path}.")
    try:
        file = h5py.File(path, "r")
    except Exception as error:
        raise ValueError(
            f"from_nir: {path} is no NIR file, or a damaged one ({error}). Fetch it again."
        ) from error
    with file:
        refuse_foreign_storage(file)
        if not isinstance(file.get("node"), h5py.Group):
            raise ValueError(
                f"from_nir: {path} is no NIR file: it has no group 'node', but {list(file)}."
            )
        return _FileReader(path).node("", file["node"])


class _FileReader:
    """Reads groups; strings may unfold to no more than the file's limit together."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = max(1, path.stat().st_size)
        self._left = size_limit(path)

    def node(self, name: str, group: Any) -> nir.NIRNode:
        kind = self._value(name, "type", group)
        if not isinstance(kind, str):
            raise unreadable(self._where(name, None), "has a 'type' that is no text")
        where = self._where(name, kind)
        if kind == "NIRGraph":
            return self._graph(name, where, group)
        if not hasattr(nir, kind):
            raise unreadable(where, "has a 'type' that is none of NIR's")
        if kind not in KINDS:
            raise NotImplementedError(
                f"from_nir: {self._path}: node {name!r} has type {kind}, which no layer here can stand for."
            )
        fields = {
            field: self._value(name, field, group)
            for field in group
            if field not in ("type", "metadata")
        }
        check_fields(where, kind, fields)
        metadata = self._metadata(name, group)
        try:
            return _made(kind, fields, metadata)
        except Exception as error:  # what nir's own constructors find
            raise unreadable(where, f"is refused by nir ({error})") from error

    def _graph(self, name: str, where: str, group: Any) -> nir.NIRGraph:
        held = group.get("nodes")
        if not isinstance(held, h5py.Group):
            raise unreadable(where, "has no field 'nodes', or one that is no group")
        prefix = f"{name}." if name else ""
        nodes = {}
        for inner, part in held.items():
            if not isinstance(part, h5py.Group):
                raise unreadable(self._where(prefix + inner, None), "is no group of fields")
            nodes[inner] = self.node(prefix + inner, part)
        edges = [*self._edges(where, group)]
        return nir.NIRGraph(nodes, edges, metadata=self._metadata(name, group), type_check=False)

    def _edges(self, where: str, group: Any) -> Iterator[tuple[str, str]]:
        edges = group.get("edges")
        if not isinstance(edges, h5py.Dataset):
            raise unreadable(where, "has no field 'edges'")
        if edges.size == 0:
            return
        if edges.ndim != 2 or edges.shape[1] != 2 or len(edges) > MOST_EDGES:
            raise unreadable(
                where,
                f"has 'edges' of shape {edges.shape}, expected pairs, (n, 2), n <= {MOST_EDGES:,}",
            )
        # a string may be as long as the file, and be named by every edge
        rows = _ROWS_AT_ONCE if edges.size * self._size > self._left else len(edges)
        for start in range(0, len(edges), rows):
            for pair in self._loaded(where, "edges", edges, slice(start, start + rows)):
                yield tuple(self._text(where, "edges", end) for end in pair)  # type: ignore[misc]

    def _metadata(self, name: str, group: Any) -> dict[str, Any]:
        held = group.get("metadata")
        if held is None:
            return {}
        if not isinstance(held, h5py.Group):
            raise unreadable(self._where(name, None), "has a 'metadata' that is no group")
        return {field: self._metadata_value(name, field, held) for field in held}

    def _metadata_value(self, name: str, field: str, group: Any) -> Any:
        # other programs nest groups here, which nothing reads
        return self._value(name, field, group) if isinstance(group[field], h5py.Dataset) else {}

    def _value(self, name: str, field: str, group: Any) -> Any:
        where = self._where(name, None)
        part = group.get(field)
        if not isinstance(part, h5py.Dataset):
            raise unreadable(where, f"has no field {field!r}")
        if part.dtype.kind == "O" and part.ndim:
            raise unreadable(
                where, f"has a {field!r} of strings or ragged arrays, expected numbers"
            )
        value = self._loaded(where, field, part, ())
        return self._text(where, field, value) if isinstance(value, bytes | str) else value

    def _loaded(self, where: str, field: str, part: Any, index: Any) -> Any:
        try:
            return part[index]
        except Exception as error:  # of h5py and the filters under it
            raise unreadable(where, f"has a {field!r} that cannot be read ({error})") from error

    def _text(self, where: str, field: str, value: Any) -> str:
        self._left -= len(value) if isinstance(value, bytes | str) else 0
        if self._left < 0:
            raise unreadable(where, f"has strings in {field!r} that unfold beyond the file's limit")
        if isinstance(value, str):
            return value
        try:
            return str(value.decode())
        except (AttributeError, UnicodeDecodeError) as error:
            raise unreadable(where, f"has a {field!r} that is no text ({error})") from error

    def _where(self, name: str, kind: Any) -> str:
        node = f"node {name!r}" if name else "the graph"
        return f"{self._path}: {node}" + (f" ({kind!s:.40})" if kind is not None else "")


def _made(kind: str, fields: dict[str, Any], metadata: dict[str, Any]) -> nir.NIRNode:
    make: Any = getattr(nir, kind)
    if kind in ("Input", "Output"):
        shape = np.atleast_1d(fields["shape"])
        return make({kind.lower(): shape}, metadata=metadata)
    if kind.startswith("Conv"):
        fields.setdefault("input_shape", None)
    if kind == "Flatten":
        fields["input_type"] = {"input": fields.get("input_type")}
    node = make(**fields)
    node.metadata = metadata
    return node
