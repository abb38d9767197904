"""Classification: the task of a run that names no other."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


class Classification:
    """The most active output is the answer; its loss is the cross entropy of the outputs. A :class:`Task`."""

    score_name = "accuracy"

    def __init__(self) -> None:
        self._num_outputs = 0

    def begin(self, answers: Tensor, labels: Tensor, num_classes: int | None) -> None:
        """Look at a first batch.

        Args:
            answers: `b c`.
            labels: `b`.
            num_classes: of the data; None if they do not say.

        Raises:
            ValueError: the model does not tell all classes apart.
        """
        self._num_outputs = answers.shape[1]
        if num_classes is not None and self._num_outputs < num_classes:
            raise ValueError(
                f"the data have {num_classes} classes, but the model tells only {self._num_outputs} apart."
            )
        self.check(labels.cpu())

    def check(self, labels: Tensor) -> None:
        """Raise ValueError if a label stands for no output of the model."""
        wrong = labels[(labels < 0) | (labels >= self._num_outputs)]
        if len(wrong):
            raise ValueError(
                f"the data have a label {int(wrong[0])}, but the model tells {self._num_outputs} classes apart, "
                f"0 to {self._num_outputs - 1}."
            )

    def loss(self, answers: Tensor, labels: Tensor) -> Tensor:
        """Mean over the samples."""
        return F.cross_entropy(answers, labels)

    def score(self, answers: Tensor, labels: Tensor) -> Tensor:
        """Samples whose most active output is their label's: a whole number."""
        return (answers.argmax(1) == labels).sum()

    def classes(self, answers: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        """How many samples were given each class, and how many are of it."""
        number = answers.shape[1]
        answered = answers.detach().argmax(1).bincount(minlength=number)
        return [(answered, labels.bincount(minlength=number))]
