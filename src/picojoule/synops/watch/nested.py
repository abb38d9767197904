"""Tensors in what a model was called with, however it is packed, and the shape that has its samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

_DEEPEST = 8  # of containers in one another


def nested_tensors(values: Iterable[Any]) -> list[Tensor]:
    """All tensors in lists, tuples, mappings, dataclasses and plain objects, in their order.

    Example:
        >>> import torch
        >>> [tuple(x.shape) for x in nested_tensors([0.5, {"x": torch.ones(4, 6)}])]
        [(4, 6)]
    """
    leaves = _leaves(list(values), _DEEPEST)
    return [x.data if isinstance(x, PackedSequence) else x for x in leaves]


def batch_shape(values: Iterable[Any]) -> tuple[int, ...] | None:
    """The shape of the tensor whose first axes are samples and time; None if there is no tensor with axes.

    It is the first with two axes or more; a time, a label or a table of options comes as a scalar
    or vector. A packed sequence has the longest one's steps.

    Example:
        >>> import torch
        >>> batch_shape([torch.tensor(0.5), torch.ones(4, 6)])
        (4, 6)
    """
    shapes = [shape_of(x) for x in _leaves(list(values), _DEEPEST)]
    for axes in (2, 1):
        for shape in shapes:
            if len(shape) >= axes:
                return shape
    return None


def shape_of(x: Tensor | PackedSequence) -> tuple[int, ...]:
    """Its axes: of a packed sequence `b t *n` with the longest one's steps; -1 where a nested tensor is ragged."""
    if isinstance(x, PackedSequence):
        return (int(x.batch_sizes[0]), len(x.batch_sizes), *x.data.shape[1:])
    if x.is_nested:
        return tuple(x.size(axis) if axis == 0 else -1 for axis in range(x.dim()))
    return tuple(x.shape)


def _leaves(value: Any, deeper: int) -> Iterator[Tensor | PackedSequence]:
    if isinstance(value, Tensor | PackedSequence):
        yield value
    elif deeper:
        for inner in _inside(value):
            yield from _leaves(inner, deeper - 1)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, type | nn.Module | str | bytes):
        return ()
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    if type(value).__module__.partition(".")[0] in ("builtins", "torch", "numpy"):
        return ()
    return list(getattr(value, "__dict__", {}).values())


def refuse_nested(given: Iterable[Any], module: str | None = None) -> None:
    """Raise NotImplementedError if a nested tensor is given, whose samples differ in their lengths.

    Args:
        given: to a product, or to the model.
        module: name of the module that the product is in; None if they are given to the model.
    """
    if any(isinstance(x, Tensor) and x.is_nested for x in given):
        product = f"a product in {module!r}" if module else "a product in the model itself"
        where = "the model" if module is None else product
        raise NotImplementedError(
            f"Monitor: {where} is given a nested tensor (torch.nested), whose values cannot be counted. Pad it, "
            "x.to_padded_tensor(0.0), where spikes that are not there cost no SynOps; or pack its parts, "
            "torch.nn.utils.rnn.pack_sequence(x.unbind(), enforce_sorted=False)."
        )
