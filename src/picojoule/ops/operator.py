"""Making an operator of PyTorch of a function.

Not by torch.library.custom_op: its first call imports the compiler, which takes seconds.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import torch

_library = torch.library.Library("picojoule", "FRAGMENT")  # type: ignore[no-untyped-call]


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
        _library.impl(name, run, device)  # type: ignore[no-untyped-call]
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
