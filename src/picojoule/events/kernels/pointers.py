"""Addresses as pointers: kernels get one table of addresses and numbers, and read the rest through it."""

from __future__ import annotations

import functools
from typing import Any

from numba import types
from numba.extending import intrinsic


@functools.cache
def pointer_to(kind: Any) -> Any:
    """A function that makes a pointer to numbers of a kind out of an address."""

    @intrinsic  # type: ignore[untyped-decorator]
    def pointer(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind_of_pointer = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], kind_of_pointer)

        return types.CPointer(kind)(types.int64), generate

    return pointer


integers = pointer_to(types.int32)
wide = pointer_to(types.int64)
reals = pointer_to(types.float32)
doubles = pointer_to(types.float64)
bytes_at = pointer_to(types.uint8)
