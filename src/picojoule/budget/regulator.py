"""What a training loop needs to know of anything that is added to its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Regulator(Protocol):
    """A term of the loss with a state of its own: a Budget, or penalties with fixed weights.

        loss = task_loss + regulator.penalty();  loss.backward();  optimizer.step();  regulator.step()

    Example:
        >>> from picojoule.budget import Budget, FixedPenalties
        >>> issubclass(Budget, Regulator), issubclass(FixedPenalties, Regulator)
        (True, True)
    """

    def penalty(self) -> Tensor:
        """The term for the loss, a scalar, from the monitor's last forward pass."""
        ...

    def step(self) -> None:
        """Move what moves; after `optimizer.step()`."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """With the model's and the optimizer's, an exact resume."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        ...


def finite_sum(owner: str, terms: Mapping[str, Tensor]) -> Tensor:
    """The sum of some terms of a loss, by what they are called.

    Raises:
        FloatingPointError: it is not finite; the message names the terms that are not.

    Example:
        >>> finite_sum("Budget", {"a": torch.tensor(1.0), "b": torch.tensor(2.0)})
        tensor(3.)
    """
    total = sum(terms.values(), start=torch.zeros(()))
    if not bool(torch.isfinite(total)):
        bad = [name for name, term in terms.items() if not term.isfinite()]
        raise FloatingPointError(
            f"{owner}: the penalty is {total.item()}, from {', '.join(bad or terms)}. The forward pass or its "
            "weights are no longer finite: go back to a checkpoint, lower the learning rate, and see "
            "picojoule.check_finite(model), which names the layer."
        )
    return total


if TYPE_CHECKING:  # the type checker holds both to the protocol
    from picojoule.budget.budget import Budget
    from picojoule.budget.fixed import FixedPenalties

    _REGULATORS: tuple[type[Regulator], ...] = (Budget, FixedPenalties)
