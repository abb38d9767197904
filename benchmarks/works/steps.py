"""How the cost of a time step grows with the number of time steps."""

from __future__ import annotations

from functools import partial

from benchmarks.cases import Case, Work
from benchmarks.works.layer import TAU_MEM, TESTS, layer_step

BATCH, NEURONS = 16, 512


def sequence(time: int, *, quick: bool = False) -> Case:
    """One layer of LIF neurons over `time` steps."""
    build = partial(layer_step, batch=BATCH, time=time, neurons=NEURONS, tau_mem=TAU_MEM)
    return Case(f"T={time}", build, time, quick)


STEPS = Work(
    "steps",
    f"one layer of LIF neurons, B={BATCH} N={NEURONS}, forward + backward",
    TESTS,
    (
        sequence(50, quick=True),
        sequence(100),
        sequence(200),
        sequence(400, quick=True),
        sequence(800),
    ),
    growth=True,
    seconds=5.0,
)
