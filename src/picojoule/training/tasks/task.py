"""A task of the user's own: what a network learns, if not classes."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from picojoule.training.networks.factories import called
from picojoule.training.networks.their_code import reason


class Task(Protocol):
    """A loss and a score, for `picojoule train --task mytask.py:make`, where `make()` gives one.

    Attributes:
        score_name: of the score, as tables show it.

    Example:
        >>> class Regression:
        ...     score_name = "negative squared error"
        ...
        ...     def loss(self, output, target):  # output: b t 1, target: b
        ...         return (output.mean((1, 2)) - target).square().mean()
        ...
        ...     def score(self, output, target):
        ...         return -(output.mean((1, 2)) - target).square().sum()
        >>> Regression().loss(torch.ones(2, 5, 1), torch.tensor([1.0, 2.0]))
        tensor(0.5000)
    """

    score_name: str

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """What training lowers: a scalar, the mean over the samples, with its gradient.

        Args:
            output: what the model gives for a batch, as it is.
            target: the targets of its samples, stacked: `b *k`.
        """

    def score(self, output: Any, target: Tensor) -> Tensor:
        """Shown in place of accuracy, the higher the better: a scalar, the *sum* over the samples."""


class OwnTask:
    """A user's :class:`Task`, whose faults are told in the user's words.

    Args:
        name: `module:function` or `file.py:function`; the function is called without arguments.

    Raises:
        ValueError: there is no such function, or what it gives is no task.
        ImportError: the module cannot be imported.
    """

    def __init__(self, name: str) -> None:
        self._name, self._task = name, called(name)
        lacking = [
            each for each in ("loss", "score") if not callable(getattr(self._task, each, None))
        ]
        if not isinstance(getattr(self._task, "score_name", None), str):
            lacking.append("score_name")
        if lacking:
            raise ValueError(
                f"{name!r} gave a value of type {type(self._task).__name__}, expected a task: an object with "
                f"loss(output, target), score(output, target) and score_name, a word. It lacks {', '.join(lacking)}."
            )
        self.score_name: str = self._task.score_name

    def begin(self, output: Any, target: Tensor, num_classes: int | None) -> None:  # noqa: ARG002
        """Try loss and score on a first batch.

        Raises:
            ValueError: one fails on it, or is no scalar, or the loss has no gradient.
        """
        if not self.loss(output, target).requires_grad:
            raise ValueError(
                f"the loss of {self._name!r} has no gradient. Make it from the output by PyTorch's functions, without "
                "detach(), item() or argmax()."
            )
        self.score(output, target)

    def check(self, target: Tensor) -> None:
        """Any target will do."""

    def loss(self, output: Any, target: Tensor) -> Tensor:
        """Mean over the samples."""
        return self._scalar("loss", output, target)

    def score(self, output: Any, target: Tensor) -> Tensor:
        """Sum over the samples."""
        return self._scalar("score", output, target).detach()

    def classes(self, output: Any, target: Tensor) -> list[tuple[Tensor, Tensor]]:  # noqa: ARG002
        """There are none."""
        return []

    def _scalar(self, what: str, output: Any, target: Tensor) -> Tensor:
        try:
            value = getattr(self._task, what)(output, target)
        except Exception as error:
            shapes = f"an output of {_shown(output)} and targets of {_shown(target)}"
            raise ValueError(
                f"{what} of the task {self._name!r} failed on {shapes}: {reason(error)}."
            ) from error
        if isinstance(value, int | float):
            value = torch.tensor(float(value), device=target.device)
        if not isinstance(value, Tensor) or value.numel() != 1:
            over = "mean" if what == "loss" else "sum"
            raise ValueError(
                f"{what} of the task {self._name!r} gave {_shown(value)}, expected a scalar: the {over} over the samples."
            )
        return value.reshape(())


def _shown(value: object) -> str:
    if isinstance(value, Tensor):
        return f"shape {tuple(value.shape)}"
    return f"type {type(value).__name__}"
