"""What NIR's nodes hold: which fields, of what kind, and what is wrong with those of a given node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from picojoule.convert.nir.arrays import Array


class Kind(NamedTuple):
    """The fields of a type of node.

    Args:
        numbers: arrays of finite numbers; of a neuron, all of one shape.
        positive: those of them that must be > 0.
        sizes: whole numbers, one or one an axis.
        optional: fields that may be missing or None.
        ndim: axes of `weight`.
    """

    numbers: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    ndim: int = 0

    @property
    def fields(self) -> tuple[str, ...]:
        """All field names but `metadata`."""
        return (*self.numbers, *self.sizes)


_CONV = ("stride", "padding", "dilation", "groups", "input_shape")
_POOL = Kind(sizes=("kernel_size", "stride", "padding"))
_FIRES = ("v_threshold", "v_reset")
KINDS = {
    "Input": Kind(sizes=("shape",)),
    "Output": Kind(sizes=("shape",)),
    "Linear": Kind(("weight",), ndim=2),
    "Affine": Kind(("weight", "bias"), ndim=2),
    "Scale": Kind(("scale",)),
    "Conv1d": Kind(("weight", "bias"), sizes=_CONV, optional=("input_shape",), ndim=3),
    "Conv2d": Kind(("weight", "bias"), sizes=_CONV, optional=("input_shape",), ndim=4),
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": Kind(sizes=("start_dim", "end_dim", "input_type"), optional=("input_type",)),
    "IF": Kind(("r", *_FIRES), optional=("v_reset",)),
    "LI": Kind(("tau", "r", "v_leak"), ("tau",)),
    "LIF": Kind(("tau", "r", "v_leak", *_FIRES), ("tau",), optional=("v_reset",)),
    "CubaLI": Kind(
        ("tau_syn", "tau_mem", "r", "v_leak", "w_in"), ("tau_syn", "tau_mem"), optional=("w_in",)
    ),
    "CubaLIF": Kind(
        ("tau_syn", "tau_mem", "r", "v_leak", "w_in", *_FIRES),
        ("tau_syn", "tau_mem"),
        optional=("w_in", "v_reset"),
    ),
}
_AT_LEAST = {"padding": 0, "start_dim": -16, "end_dim": -16, "input_type": 0, "shape": 0}
_WORDS = {"padding": ("same", "valid")}
_LARGEST = 2**31 - 1


def unreadable(where: str, fault: str, advice: str = "The file is damaged.") -> ValueError:
    """The one kind of error of what cannot be read."""
    return ValueError(f"from_nir: {where} {fault}. {advice}")


def check_fields(where: str, kind: str, fields: Mapping[str, Any]) -> None:
    """Raise ValueError unless a node's fields are what its type needs; the message names the field."""
    need = KINDS[kind]
    for name in need.fields:
        value = fields.get(name)
        if value is None:
            if name not in need.optional:
                raise unreadable(where, f"has no field {name!r}")
        elif name in need.numbers:
            _check_numbers(where, name, value, positive=name in need.positive)
        else:
            _check_sizes(where, name, value)
    unknown = sorted(set(fields) - {*need.fields, "metadata"})
    if unknown:
        raise unreadable(where, f"has a field {unknown[0]!r}, which a {kind} does not have")
    _check_shapes(where, need, fields)
    if kind == "Flatten":
        _check_axes(where, fields)
    if kind == "AvgPool2d":
        _check_border(where, fields)


def as_array(where: str, name: str, value: Any) -> Array:
    """A field as an array; sinabs' graphs hold tensors before they are written."""
    try:
        return np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
    except Exception as error:  # ragged lists, foreign objects
        raise unreadable(where, f"has a {name!r} that is no array ({error})") from error


def _check_numbers(where: str, name: str, value: Any, *, positive: bool) -> None:
    array = as_array(where, name, value)
    if array.dtype.kind not in "fiu":
        raise unreadable(where, f"has a {name!r} of type {array.dtype}, expected numbers")
    if array.size == 0:
        raise unreadable(where, f"has an empty {name!r}, of shape {array.shape}")
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(torch.empty(0).numpy().dtype))
    if not finite.all():
        bad = array[~finite].flat[0]
        raise unreadable(where, f"has {bad} in {name!r}, expected finite numbers")
    if positive and not (array > 0).all():
        raise unreadable(where, f"has {array.min():.4g} in {name!r}, expected seconds > 0")


def _check_sizes(where: str, name: str, value: Any) -> None:
    if isinstance(value, str | bytes):
        word = value if isinstance(value, str) else value.decode(errors="replace")
        if word not in _WORDS.get(name, ()):
            raise unreadable(where, f"has {word!r} as {name!r}, expected whole numbers")
        return
    array = as_array(where, name, value)
    if not _is_whole(array) or array.ndim > 1:
        raise unreadable(
            where,
            f"has a {name!r} of {array.dtype} and shape {array.shape}, expected whole numbers",
        )
    least = _AT_LEAST.get(name, 1)
    if array.size and not (least <= array.min() and array.max() <= _LARGEST):
        raise unreadable(where, f"has {array.tolist()} as {name!r}, expected {least} to {_LARGEST}")


def _is_whole(array: Array) -> bool:
    if array.dtype.kind != "f":
        return array.dtype.kind in "iu"
    return bool(np.isfinite(array).all()) and not (array % 1).any()


def _check_shapes(where: str, need: Kind, fields: Mapping[str, Any]) -> None:
    held = {n: as_array(where, n, v) for n in need.numbers if (v := fields.get(n)) is not None}
    if not need.ndim:
        shapes = {name: array.shape for name, array in held.items()}
        if len({shape for name, shape in shapes.items() if name != "w_in" or shape}) > 1:
            raise unreadable(where, f"has fields of different shapes: {shapes}")
        return
    weight = held["weight"]
    if weight.ndim != need.ndim:
        raise unreadable(
            where, f"has a 'weight' of shape {weight.shape}, expected {need.ndim} axes"
        )
    bias = held.get("bias")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise unreadable(
            where,
            f"has a 'bias' of shape {bias.shape}, expected {weight.shape[:1]} as 'weight' has",
        )
    axes = need.ndim - 2
    for name in ("stride", "padding", "dilation", "input_shape"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str | bytes):
            size = as_array(where, name, value).size
            if size not in (1, axes):
                raise unreadable(where, f"has {size} numbers in {name!r}, expected {axes}")
    if axes:
        groups = as_array(where, "groups", fields["groups"])
        if groups.size != 1 or weight.shape[0] % groups.item():
            raise unreadable(
                where,
                f"has {groups.tolist()} 'groups', expected a number that divides {weight.shape[0]}",
            )


def _check_axes(where: str, fields: Mapping[str, Any]) -> None:
    """Raise ValueError if a Flatten's axes are none of its input's, where that is known, or in the wrong order."""
    shape = fields.get("input_type")
    if shape is None:
        return
    ndim = as_array(where, "input_type", shape).size
    axes = [as_array(where, name, fields[name]) for name in ("start_dim", "end_dim")]
    if (
        not all(axis.size == 1 and -ndim <= axis < ndim for axis in axes)
        or axes[0] % ndim > axes[1] % ndim
    ):
        first, last = (axis.tolist() for axis in axes)
        raise unreadable(where, f"flattens axes {first} to {last} of an input of {ndim} axes")


def _check_border(where: str, fields: Mapping[str, Any]) -> None:
    """Raise ValueError if windows of an average would lie in the border alone."""
    padding, kernel = (as_array(where, n, fields[n]) for n in ("padding", "kernel_size"))
    if (2 * padding > kernel).any():
        raise unreadable(
            where,
            f"has a 'padding' of {padding.tolist()}, more than half its 'kernel_size' of {kernel.tolist()}",
        )
