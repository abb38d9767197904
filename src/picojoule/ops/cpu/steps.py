"""Kernels called one time step at a time, on sequences `t b n`, whose steps lie in one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from picojoule.ops.cpu.compiled import Which, compiled
from picojoule.ops.cpu.scratch import WIDEST, address
from picojoule.ops.cpu.threads import share_out
from picojoule.ops.plan import Plan

WORTH_A_THREAD = 1 << 15  # neurons of a step: some 30 us, as much as it takes to wake a thread
States = tuple[Tensor, Tensor, Tensor]


def step_kernel(plan: Plan, which: Which, like: Tensor) -> Callable[..., None]:
    """A function that runs one step, of `b n` neurons as in `like`, on the pointers of a pass."""
    kernel = compiled(plan, which)
    batch, neurons = like.shape
    fewest = max(1, WORTH_A_THREAD // max(1, min(neurons, WIDEST)))
    rows = batch * -(-neurons // WIDEST)
    shape = 1, neurons

    def run(before: tuple[int, ...], after: tuple[int, ...]) -> None:
        def arguments(share: int) -> tuple[int, ...]:
            scratch = (address(plan, 1, share),) if which == "backward" else ()
            return (*shape, *before, *scratch, *after)

        share_out(kernel, rows, arguments, fewest)

    return run


def places(*sequences: Tensor) -> Callable[[int], tuple[int, ...]]:
    """A function from a step to where it is in each sequence, round and round where one is shorter.

    A sequence without steps is never read.
    """
    known = [(x.data_ptr(), x.element_size() * x.stride(0), max(1, len(x))) for x in sequences]
    return lambda at: tuple([start + at % length * step for start, step, length in known])


def forward_steps(
    plan: Plan,
    x: Tensor,
    states: States,
    feedback: Tensor,
    p: Tensor,
    constants: Tensor,
    made: Tensor,
) -> Iterator[int]:
    """Run the steps one by one, and give out the number of each as soon as its output is made.

    `states` are `k b n`, those before step t in place `t % k`. A stepped plan adds `feedback` to `x`.
    """
    if not len(x):
        return
    run = step_kernel(plan, "forward", x[0])
    given, after, fixed = places(x, *states), places(*states), (p.data_ptr(), constants.data_ptr())
    output, fed_back = places(made), feedback.data_ptr()
    sums = torch.empty_like(states[0][0])  # of one step, which nobody asks for
    for t in range(len(x)):
        run((*given(t), *fixed), (*output(t), *after(t + 1), sums.data_ptr(), fed_back))
        yield t


def room_for(states: tuple[Tensor, ...], places: int) -> States:
    """Memory for `places` of each state, the first of them filled. A state that is empty stays so."""
    rooms = tuple(state.new_empty(places, *state.shape) for state in states)
    for room, state in zip(rooms, states, strict=True):
        room[0] = state
    return rooms  # type: ignore[return-value]
