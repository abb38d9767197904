"""What becomes of states while sinabs is stood for: at a reset, and when the batch size changes between calls.

States are buffers, and stay of their shape when they are reset: code for sinabs may look there (docs/adr/0022).

sinabs gives each new sample the state that a random sample of the last batch left behind (S25 in
docs/compat.md), and code for it may count on states that survive. So here the states survive too, but
in order: sample i takes the state of sample i modulo the old batch size. Picojoule itself starts from
zeros, and both say so.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from picojoule.layers import LIF, StatefulLayer


def keep_states_across_batch_sizes() -> None:
    """Switch it on."""
    StatefulLayer._as_in_sinabs = True
    LIF._carried_states = _carried_states  # type: ignore[method-assign, assignment]


def start_other_batch_sizes_from_zeros() -> None:
    """Switch it off, if it is on."""
    StatefulLayer._as_in_sinabs = False
    if "_carried_states" in vars(LIF):
        del LIF._carried_states


def _carried_states(self: LIF, shape: tuple[int, ...]) -> dict[str, Tensor] | None:
    self._check_that_states_are_usable()
    states = self.states()
    old = (self.shape or shape)[0]
    only_batch_differs = (
        self.is_state_initialised()
        and 0 < old != shape[0]
        and self.has_trailing_dimension(shape[1:])
    )
    if "i_rec" in states or not only_batch_differs:
        return StatefulLayer._carried_states(self, shape)
    if any(bool(state.any()) for state in states.values()):
        warnings.warn(
            f"{type(self).__name__}: the batch size went from {old} to {shape[0]}, and the samples start from "
            "the states that other samples left behind. Call sinabs.reset_states(model) between unrelated "
            "inputs.",
            stacklevel=4,
        )
    rows = torch.arange(shape[0], device=self.v_mem.device) % old
    return {name: state[rows] for name, state in states.items()}
