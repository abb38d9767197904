"""A function's call, as the rules see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from torch import Tensor

from picojoule.synops.watch.origin import Origin
from picojoule.synops.watch.origins import Origins

Result = Origin | list[Origin]


class FunctionCall(NamedTuple):
    """A function's call, what it gave, and the origins of tensors so far."""

    origins: Origins
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any

    @property
    def values(self) -> list[Any]:
        """All arguments but `out`, which is only written to."""
        if not self.kwargs:
            return list(self.args)
        return [*self.args, *(x for name, x in self.kwargs.items() if name != "out")]

    @property
    def first(self) -> Tensor:
        """The first tensor among them."""
        return next(x for x in self.values if isinstance(x, Tensor))

    @property
    def operands(self) -> list[Any]:
        """The two that an operation like a + b is of, without its options; None for one that is not there."""
        named = [self.kwargs[name] for name in ("input", "self", "other") if name in self.kwargs]
        return [*self.args, *named, None][:2]

    def given(self, names: str) -> dict[str, Any]:
        """The arguments by their names; `names` are those of the positional ones, in order."""
        return dict(zip(names.split(), self.args, strict=False)) | self.kwargs

    def again(self, other: Tensor) -> Any:
        """What the call gives with `other` in place of its first tensor."""
        x = self.first
        args = [other if value is x else value for value in self.args]
        kwargs = {n: other if v is x else v for n, v in self.kwargs.items() if n != "out"}
        return self.function(*args, **kwargs)


def tensors(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among the arguments of a call, in lists too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors(value)
    return found
