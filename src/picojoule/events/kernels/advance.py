"""A step of every neuron of a layer, whatever its kind: the arithmetic of `ops/cpu/membrane.py`."""

from __future__ import annotations

import functools
from typing import Any

from numba import njit, types

from picojoule.ops.cpu.membrane import membrane
from picojoule.ops.cpu.parameters import constants, load_parameters, rows_of
from picojoule.ops.cpu.pipeline import DistinctArguments
from picojoule.ops.cpu.scratch import WIDEST
from picojoule.ops.plan import Plan

_REALS = types.CPointer(types.float32)


@functools.cache
def advance(plan: Plan) -> Any:
    """(N, x, r, v, i, b, p, c, s): outputs `s` and states after a step of N neurons; no two of them overlap.

    `r` is what the neurons' own spikes add to the input, where the plan is stepped.
    """
    step, load, rows = membrane(plan).step, load_parameters(plan), rows_of(plan)
    synaptic, adaptive, stepped = plan.synaptic, plan.adaptive, plan.stepped

    def advance_all(N: Any, x: Any, r: Any, v: Any, i: Any, b: Any, p: Any, c: Any, s: Any) -> None:
        memory, numbers = rows(), constants(c)
        for at in range(0, N, WIDEST):
            n = min(WIDEST, N - at)
            parameters = load(p, at, N, n, memory)
            for j in range(n):
                k = at + j
                arrived = x[k] + r[k] if stepped else x[k]
                spikes, v[k], i_now, b_now, _, _ = step(
                    arrived, v[k], i[k], b[k], parameters, j, numbers
                )
                s[k] = spikes
                if synaptic:
                    i[k] = i_now
                if adaptive:
                    b[k] = b_now

    return njit(
        types.void(types.int64, *[_REALS] * 8),
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments,
    )(advance_all)  # fmt: skip
