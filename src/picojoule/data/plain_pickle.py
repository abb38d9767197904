"""Pickles of plain values and NumPy arrays, by strangers: nothing is called, nothing grows."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

_NUMPY_PARTS = {"_reconstruct", "ndarray", "dtype"}

# What picklers write of dicts, lists, tuples, numbers, text, bytes and arrays. BYTEARRAY8 is not among
# them (it clears as much memory as it declares), nor DUP, sets or persistent identifiers.
_OPCODES = (
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.FLOAT, pickle.BINFLOAT),
    *(pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2),
    *(pickle.LONG, pickle.LONG1, pickle.LONG4),
    *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
    *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.EMPTY_DICT, pickle.DICT, pickle.SETITEM, pickle.SETITEMS),
    *(pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
    *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD),
)


def unpickled(content: bytes) -> Any:
    """The value of a pickle of plain values; a NumPy array in it is a `PickledObject`, which tells its parts.

    It takes time and memory in proportion to the content: lengths that it declares are not believed, its
    memo has no more places than are used, and keys of dicts are text, bytes or numbers (the hash of
    tuples that contain one another twice takes 2^n steps).

    Raises:
        Exception: nearly any, where the content is damaged or asks for more than the parts of an array.

    Example:
        >>> unpickled(pickle.dumps({"labels": [1, 2]}))
        {'labels': [1, 2]}
    """
    return _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()


class PickledObject:
    """Stands for something in a pickle: what it was called with and what state it was given."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name, self.arguments = name, arguments

    def __call__(self, *arguments: Any) -> PickledObject:
        """The same, called; nothing runs."""
        return PickledObject(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


# The one written in Python: that in C keeps its memo as an array, as long as the highest place that a
# file names. It has no public name, and has kept this one since Python 3.0.
_Unpickler: Any = pickle._Unpickler


class _PlainUnpickler(_Unpickler):
    """Admits plain values and the parts of a NumPy array, which it names instead of calling."""

    def find_class(self, module: str, name: str, /) -> PickledObject:
        if module.split(".")[0] != "numpy" or name not in _NUMPY_PARTS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return PickledObject(name)


def _with_plain_keys(load: Callable[[Any], None], first: int, step: int) -> Callable[[Any], None]:
    """An opcode that fills a dict from the stack, after a look at its keys."""

    def checked(unpickler: Any) -> None:
        for key in unpickler.stack[first::step]:
            if not isinstance(key, str | bytes | int | float):
                raise pickle.UnpicklingError(f"a dict has a {type(key).__name__} for a key")
        load(unpickler)

    return checked


_dispatch = {code[0]: _Unpickler.dispatch[code[0]] for code in _OPCODES}
_dispatch[pickle.SETITEM[0]] = _with_plain_keys(_dispatch[pickle.SETITEM[0]], -2, 2)
for _code in (pickle.SETITEMS[0], pickle.DICT[0]):
    _dispatch[_code] = _with_plain_keys(_dispatch[_code], 0, 2)
_PlainUnpickler.dispatch = _dispatch
