"""Batch and time in one axis, for networks whose other layers know nothing of time."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import torch
from torch import Tensor


class SqueezeError(ValueError, RuntimeError):
    """The folded axis does not divide; a RuntimeError too, since code for sinabs catches that."""


def known_sizes(owner: str, batch_size: int | None, num_timesteps: int | None) -> tuple[int, int]:
    """Both sizes, -1 for one that is not known.

    Raises:
        TypeError: neither is given.
        ValueError: one is not a whole number >= 1.
    """
    sizes = {"batch_size": batch_size, "num_timesteps": num_timesteps}
    known = {name: n for name, n in sizes.items() if n is not None and n != -1}
    if not known:
        raise TypeError(
            f"{owner}: give batch_size or num_timesteps, so that batch and time can be told apart in the "
            "folded axis."
        )
    known = {name: whole_size(owner, name, n) for name, n in known.items()}
    return known.get("batch_size", -1), known.get("num_timesteps", -1)


def whole_size(owner: str, name: str, n: Any) -> int:
    """A size as Python's number, also of NumPy's.

    Raises:
        ValueError: it is no whole number >= 1.
    """
    if isinstance(n, bool) or not isinstance(n, Integral | torch.SymInt) or n < 1:
        raise ValueError(f"{owner}: {name} is {n!r}, expected a whole number >= 1.")
    size: Any = n if isinstance(n, torch.SymInt) else int(n)
    return size  # type: ignore[no-any-return]


def shown_sizes(batch_size: int, num_timesteps: int, between: str = ", ") -> str:
    """The sizes that are known, as they are given."""
    sizes = {"batch_size": batch_size, "num_timesteps": num_timesteps}
    return between.join(f"{name}={n}" for name, n in sizes.items() if n != -1)


def split_batch_and_time(
    owner: str, folded: int, batch_size: int, num_timesteps: int = -1
) -> tuple[int, int]:
    """`(batch, time)` of a folded axis of length `folded`; one of the two may be -1, unknown.

    Raises:
        SqueezeError: they do not multiply to `folded`.
    """
    batch = batch_size if batch_size != -1 else folded // num_timesteps
    time = num_timesteps if num_timesteps != -1 else folded // batch_size
    if batch * time == folded:
        return batch, time
    wanted = shown_sizes(batch_size, num_timesteps, " and ")
    raise SqueezeError(
        f"{owner}: the first axis of the input has {folded} entries (batch * time), which does not go "
        f"with {wanted}. Call picojoule.set_batch_size(model, n) when the batch changes."
    )


class SqueezeMixin:
    """Puts a layer for `b t *n` behind an interface of `(b t) *n`; time runs fastest.

    Name it before the layer's class, and there is no more to do. Classes written for sinabs, which
    name it behind and call `squeeze_init` and `squeeze_forward` themselves, work too.

    Raises:
        TypeError: neither `batch_size` nor `num_timesteps` is given.
        SqueezeError: the input's first axis does not divide; the state stays as it was.
    """

    batch_size: int
    num_timesteps: int

    def __init__(
        self, batch_size: int | None = None, num_timesteps: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.squeeze_init(batch_size, num_timesteps)

    def squeeze_init(self, batch_size: int | None, num_timesteps: int | None) -> None:
        """Check and keep the two sizes: what a constructor of one's own has to call."""
        self.batch_size, self.num_timesteps = known_sizes(
            type(self).__name__, batch_size, num_timesteps
        )

    def forward(self, data: Tensor) -> Tensor:
        """Output `(b t) *n` for the input `data`, `(b t) *n`."""
        return self.squeeze_forward(data, super().forward)  # type: ignore[misc]

    def squeeze_forward(self, data: Tensor, forward: Callable[[Tensor], Tensor]) -> Tensor:
        """What `forward`, from `b t *n` to `b t *m`, makes of `data`, `(b t) *n`."""
        if data.ndim == 0:
            raise ValueError(
                f"{type(self).__name__}: the input has shape (), expected (batch * time, *neuron)."
            )
        split = split_batch_and_time(
            type(self).__name__, len(data), self.batch_size, self.num_timesteps
        )
        return forward(data.reshape(*split, *data.shape[1:])).flatten(0, 1)

    def squeeze_param_dict(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Constructor arguments with the two sizes added, for a `_param_dict` of one's own."""
        return {**arguments, "batch_size": self.batch_size, "num_timesteps": self.num_timesteps}

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        sizes = shown_sizes(self.batch_size, self.num_timesteps)
        return f"{sizes}, {super().extra_repr()}"  # type: ignore[misc]
