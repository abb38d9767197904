"""Batch and time in one axis, for networks whose other layers know nothing of time."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class SqueezeError(ValueError, RuntimeError):
    """The folded axis does not divide; a RuntimeError too, since code for sinabs catches that."""


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
    known = {"batch_size": batch_size, "num_timesteps": num_timesteps}
    wanted = " and ".join(f"{name}={n}" for name, n in known.items() if n != -1)
    raise SqueezeError(
        f"{owner}: the first axis of the input has {folded} entries (batch * time), which does not go "
        f"with {wanted}. Call picojoule.set_batch_size(model, n) when the batch changes."
    )


class SqueezeMixin:
    """Puts a layer for `b t *n` behind an interface of `(b t) *n`; time runs fastest.

    Raises:
        TypeError: neither `batch_size` nor `num_timesteps` is given.
        SqueezeError: the input's first axis does not divide; the state stays as it was.
    """

    batch_size: int
    num_timesteps: int

    def __init__(
        self, batch_size: int | None = None, num_timesteps: int | None = None, **kwargs: Any
    ) -> None:
        sizes = {"batch_size": batch_size, "num_timesteps": num_timesteps}
        known = {name: n for name, n in sizes.items() if n is not None and n != -1}
        if not known:
            raise TypeError(
                f"{type(self).__name__}: give batch_size or num_timesteps, so that batch and time "
                "can be told apart in the folded axis."
            )
        for name, n in known.items():
            if n < 1:
                raise ValueError(f"{type(self).__name__}: {name} is {n}, expected {name} >= 1.")
        super().__init__(**kwargs)
        self.batch_size = known.get("batch_size", -1)
        self.num_timesteps = known.get("num_timesteps", -1)

    def forward(self, data: Tensor) -> Tensor:
        """Output `(b t) *n` for the input `data`, `(b t) *n`."""
        split = split_batch_and_time(
            type(self).__name__, len(data), self.batch_size, self.num_timesteps
        )
        output: Tensor = super().forward(data.reshape(*split, *data.shape[1:]))  # type: ignore[misc]
        return output.flatten(0, 1)

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        known = {"batch_size": self.batch_size, "num_timesteps": self.num_timesteps}
        shown = [f"{name}={n}" for name, n in known.items() if n != -1]
        return ", ".join([*shown, super().extra_repr()])  # type: ignore[misc]
