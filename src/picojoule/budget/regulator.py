"""What a training loop needs to know of anything that is added to its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from picojoule.budget.budget import Budget
from picojoule.budget.fixed import FixedPenalties


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


# the type checker holds both to the protocol
_REGULATORS: tuple[type[Regulator], ...] = (Budget, FixedPenalties)
