"""Penalties with weights that the user sets, for comparison and for those who want them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from picojoule.budget.finite_sum import finite_sum
from picojoule.synops.counting_monitor import CountingMonitor

Term = Callable[[CountingMonitor], Tensor]


class FixedPenalties:
    """A weighted sum of terms that read a Monitor; nothing adapts.

        penalty = sum over terms of weight * term(monitor)

    A :class:`picojoule.budget.Regulator`, so that a training loop written for a Budget runs with it.
    A Budget finds its weights itself; here a weight that is too small misses the target, and one that
    is too large silences the network.

    Args:
        monitor: attached to the model.
        terms: the weight of each term, finite and >= 0. A term is any function of a Monitor that gives a
            scalar: `SynopsExcess`, `RateShortfall`, `L1Rates`, `L2Rates`, `Hoyer`, `FanOutWeighted`,
            `SSP`, or one of your own.

    Raises:
        ValueError: there is no term, or a weight is negative or not finite.
        TypeError: terms are no dict, or one cannot be called.

    Example:
        >>> import picojoule
        >>> import torch
        >>> from picojoule.budget import L1Rates, SynopsExcess
        >>> from torch import nn
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(4, 50), picojoule.layers.IAF(), nn.Linear(50, 2))
        >>> monitor = picojoule.Monitor(model).attach()
        >>> penalties = FixedPenalties(monitor, {SynopsExcess(10.0): 0.3, L1Rates(): 0.01})
        >>> loss = model(torch.ones(8, 10, 4)).mean() + penalties.penalty()
        >>> loss.backward()
        >>> penalties.step()
    """

    def __init__(self, monitor: CountingMonitor, terms: Mapping[Term, float]) -> None:
        if not isinstance(terms, Mapping):
            raise TypeError(
                f"FixedPenalties: terms is of type {type(terms).__name__}, expected a dict of weights by term, such as "
                "{L1Rates(): 0.1}."
            )
        if not terms:
            raise ValueError(
                "FixedPenalties: there is no term. Give some with their weights, such as {L1Rates(): 0.1}."
            )
        for term, weight in terms.items():
            if not callable(term):
                raise TypeError(
                    f"FixedPenalties: {term!r} is no term, since it cannot be called with a Monitor. "
                    "Give terms as keys and weights as values, such as {L1Rates(): 0.1}."
                )
            if not 0 <= weight < math.inf:
                raise ValueError(
                    f"FixedPenalties: the weight of {term!r} is {weight}, expected a finite number >= 0."
                )
        self._monitor = monitor
        self._terms = dict(terms)

    def penalty(self) -> Tensor:
        """The weighted sum, a scalar, from the monitor's last forward pass.

        Raises:
            FloatingPointError: it is not finite; the message names the terms.
            RuntimeError: the monitor has seen no forward pass.
            ValueError: a term names a layer that was not seen.
        """
        values = {repr(term): w * term(self._monitor) for term, w in self._terms.items()}
        return finite_sum("FixedPenalties", values)

    def step(self) -> None:
        """Nothing moves."""

    def state_dict(self) -> dict[str, Any]:
        """Empty: weights are settings, not state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that the state is one of fixed penalties.

        Raises:
            ValueError: it is not empty, so it is of something else.
        """
        if state:
            raise ValueError(
                f"FixedPenalties: the saved state is of the constraints {sorted(state)}, but fixed penalties have "
                "no state. Was the checkpoint written with a Budget?"
            )
