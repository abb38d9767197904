"""What every kernel does before and after its recurrence: where a program is, what it loads and stores."""

from __future__ import annotations

import triton
import triton.language as tl

from picojoule.ops.triton.indices import COUNT


@triton.jit
def place(T, N, blocks, BLOCK: tl.constexpr):
    """Where a program is, in 64 bits: a tensor may have more than 2**31 elements.

    `last` is T for a neuron that there is and 0 for one beyond the end: a load of step t is masked by
    `t < last`, one comparison of blocks.
    """
    n = tl.cast(N, tl.int64)
    program = tl.program_id(0)
    sample = tl.cast(program // blocks, tl.int64)
    batch = tl.cast(tl.num_programs(0) // blocks, tl.int64)
    column = tl.cast(program % blocks, tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = column < n
    return batch, sample, column, live, tl.where(live, T, 0), n


@triton.jit
def loaded(x, at, n, t, last, K: tl.constexpr):
    """K steps of a sequence, from step `t` on; zeros past the end."""
    xs = ()
    for k in tl.static_range(K):
        xs = xs + (tl.load(x + at + k * n, mask=t + k < last, other=0.0).to(tl.float32),)
    return xs


@triton.jit
def given(g, state, live, zero):
    """The gradient of an end state, if anything depends on it."""
    if g is None:
        found = zero
    else:
        found = tl.load(g + state, mask=live, other=0.0)
    return found


@triton.jit
def parameters_at(p, numbers, column, live, n, ROWS: tl.constexpr):
    """The parameters in the order of `plan.PARAMETERS`: a row of the matrix, or a number."""
    found = ()
    for k in tl.static_range(COUNT):
        found = found + (_parameter(p, numbers[k], column, live, n, ROWS.of[k]),)
    return found


@triton.jit
def _parameter(p, number, column, live, n, ROW: tl.constexpr):
    if ROW >= 0:
        value = tl.load(p + ROW * n + column, mask=live, other=1.0)  # 1: thresholds divide
    else:
        value = number
    return value


@triton.jit
def sums_at(gp, to, n, live, zero, ROWS: tl.constexpr, THERE: tl.constexpr):
    """The gradients of the parameters that `store_sums` left; zeros if it was not THERE."""
    found = ()
    for k in tl.static_range(COUNT):
        found = found + (_sum(gp, to, n, live, zero, ROWS.of[k], THERE),)
    return found


@triton.jit
def _sum(gp, to, n, live, zero, ROW: tl.constexpr, THERE: tl.constexpr):
    if THERE and ROW >= 0:
        value = tl.load(gp + to + ROW * n, mask=live, other=0.0)
    else:
        value = zero
    return value


@triton.jit
def store_sums(gp, to, n, sums, live, ROWS: tl.constexpr):
    """Keep the gradients of the parameters that are tensors."""
    for k in tl.static_range(COUNT):
        if ROWS.of[k] >= 0:
            tl.store(gp + to + ROWS.of[k] * n, sums[k], mask=live)
