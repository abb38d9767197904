"""A function's call, as the rules see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from torch import Tensor

from picojoule.synops.watch.origin import Origin, Origins

Result = Origin | list[Origin]


class Call(NamedTuple):
    """A function's call, what it gave, and the origins of tensors so far."""

    origins: Origins
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any

    @property
    def values(self) -> list[Any]:
        """All arguments."""
        return [*self.args, *self.kwargs.values()]

    @property
    def first(self) -> Tensor:
        """The first tensor among them."""
        return next(x for x in self.values if isinstance(x, Tensor))


Rule = Callable[[Call], Result]


def tensors(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among the arguments of a call, in lists too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors(value)
    return found
