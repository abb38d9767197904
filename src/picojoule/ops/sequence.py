"""From one step to a sequence, for every reference recurrence.

Time is taken apart once (``unbind``) and put together once (``stack``), so the backward pass is
linear in the number of steps; slicing ``current[:, t]`` would allocate a full-size gradient a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

State = TypeVar("State", bound=NamedTuple)


def run_steps(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    current: Tensor,
    state: State,
    *,
    record: bool,
) -> tuple[Tensor, State, dict[str, Tensor]]:
    """Apply `step` to every time step of `current`, `b t *n`.

    Returns:
        The outputs `b t *n`, the last state, and with `record` the state after each step, `b t *n`
        by name.
    """
    outputs: list[Tensor] = []
    states: list[State] = []
    for x in current.unbind(1):
        output, state = step(x, state)
        outputs.append(output)
        if record:
            states.append(state)
    names = [name for name, value in state._asdict().items() if value is not None and record]
    recordings = {name: _stack([getattr(s, name) for s in states], current) for name in names}
    return _stack(outputs, current), state, recordings


def _stack(steps: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(steps, dim=1) if steps else torch.zeros_like(like)
