"""Making an operator of PyTorch of a function.

Not by torch.library.custom_op: its first call imports the compiler, which takes seconds.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import torch
from torch import Tensor
from torch.autograd import forward_ad


class _Operators(torch.library.Library):
    """Operators whose gradients refuse tangents, which autograd would drop: a derivative of 0, and no word."""

    def impl(self, op_name: Any, fn: Any, dispatch_key: str = "", **given: Any) -> None:
        run = _without_tangents(op_name, fn) if dispatch_key == "Autograd" else fn
        super().impl(op_name, run, dispatch_key, **given)  # type: ignore[no-untyped-call]


def _without_tangents(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    def refusing(keyset: Any, *given: Any, **more: Any) -> Any:
        if forward_ad._current_level >= 0 and any(map(_has_tangent, (*given, *more.values()))):
            raise NotImplementedError(
                f"picojoule::{name}: the fused kernels have no forward-mode derivative. Name the reference "
                "for it: impl='reference', or a layer's attribute impl."
            )
        return run(keyset, *given, **more)

    return refusing


def _has_tangent(value: Any) -> bool:
    if not isinstance(value, Tensor):
        return False
    return forward_ad.unpack_dual(value).tangent is not None  # type: ignore[no-untyped-call]


_library = _Operators("picojoule", "FRAGMENT")  # type: ignore[no-untyped-call]


def operator(
    name: str, run: Callable[..., Any], fake: Callable[..., Any], devices: Sequence[str] = ("CPU",)
) -> torch._ops.OpOverload[..., Any]:
    """The operator `picojoule::name`, with the signature of `run`; `fake` makes its shapes.

    Args:
        name: without the namespace.
        run: what it does.
        fake: gives outputs of the same shapes, without values.
        devices: where it runs, by PyTorch's names of dispatch keys.
    """
    run.__annotations__ = {key: _spelt_out(hint) for key, hint in get_type_hints(run).items()}
    schema = torch.library.infer_schema(run, mutates_args=(), op_name=name)
    _library.define(schema)  # type: ignore[no-untyped-call]
    for device in devices:
        _library.impl(name, run, device)
    torch.library.register_fake(f"picojoule::{name}", fake, lib=_library)
    made: torch._ops.OpOverload[..., Any] = getattr(torch.ops.picojoule, name).default
    return made


def _spelt_out(hint: Any) -> Any:
    """A type in the spelling that PyTorch 2.6 knows; it does not look up names of types either."""
    if get_origin(hint) is Sequence:
        return typing.Sequence[get_args(hint)]  # type: ignore[misc]
    return hint


def make_differentiable(
    op: torch._ops.OpOverload[..., Any],
    backward: Callable[..., Any],
    keep: Callable[..., None],
) -> None:
    """Give an operator its backward pass; `keep(ctx, inputs, output)` saves what that needs."""
    torch.library.register_autograd(op, backward, setup_context=keep, lib=_library)


def refuse_second_derivative(op: torch._ops.OpOverload[..., Any]) -> None:
    """Have an operator of a backward pass say what to do where it is itself to be differentiated."""
    name = str(op)

    def refuse(*_: Any) -> None:
        raise NotImplementedError(
            f"{name}: the fused kernels have no second derivative. Name the reference for it: "
            "impl='reference', or a layer's attribute impl."
        )

    make_differentiable(op, refuse, lambda **_: None)
