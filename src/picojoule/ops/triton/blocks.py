"""What every kernel does before and after its recurrence: where a program is, what it loads and stores."""

from __future__ import annotations

import triton
import triton.language as tl


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
    """The parameters in the order of `parameters.NAMES`."""
    return (
        _parameter(p, numbers[0], column, live, n, ROWS.alpha_mem),
        _parameter(p, numbers[1], column, live, n, ROWS.gain),
        _parameter(p, numbers[2], column, live, n, ROWS.alpha_syn),
        _parameter(p, numbers[3], column, live, n, ROWS.min_v_mem),
        _parameter(p, numbers[4], column, live, n, ROWS.threshold),
        _parameter(p, numbers[5], column, live, n, ROWS.cost),
        _parameter(p, numbers[6], column, live, n, ROWS.adapt_scale),
        _parameter(p, numbers[7], column, live, n, ROWS.adapt_alpha),
        _parameter(p, numbers[8], column, live, n, ROWS.adapt_gain),
    )


@triton.jit
def _parameter(p, number, column, live, n, ROW: tl.constexpr):
    """A row of the matrix, or a number; 1 where there is no neuron, for divisions."""
    if ROW >= 0:
        value = tl.load(p + ROW * n + column, mask=live, other=1.0)
    else:
        value = number
    return value


@triton.jit
def no_sums(zero):
    """The gradients of the parameters before any step, in their order."""
    return (zero, zero, zero, zero, zero, zero, zero, zero, zero)


@triton.jit
def sums_at(gp, to, n, live, zero, ROWS: tl.constexpr, THERE: tl.constexpr):
    """The gradients of the parameters that `store_sums` left, if it did."""
    return (
        _sum(gp, to, n, live, zero, ROWS.alpha_mem, THERE),
        _sum(gp, to, n, live, zero, ROWS.gain, THERE),
        _sum(gp, to, n, live, zero, ROWS.alpha_syn, THERE),
        _sum(gp, to, n, live, zero, ROWS.min_v_mem, THERE),
        _sum(gp, to, n, live, zero, ROWS.threshold, THERE),
        _sum(gp, to, n, live, zero, ROWS.cost, THERE),
        _sum(gp, to, n, live, zero, ROWS.adapt_scale, THERE),
        _sum(gp, to, n, live, zero, ROWS.adapt_alpha, THERE),
        _sum(gp, to, n, live, zero, ROWS.adapt_gain, THERE),
    )


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
    _store_row(gp, to, n, sums[0], live, ROWS.alpha_mem)
    _store_row(gp, to, n, sums[1], live, ROWS.gain)
    _store_row(gp, to, n, sums[2], live, ROWS.alpha_syn)
    _store_row(gp, to, n, sums[3], live, ROWS.min_v_mem)
    _store_row(gp, to, n, sums[4], live, ROWS.threshold)
    _store_row(gp, to, n, sums[5], live, ROWS.cost)
    _store_row(gp, to, n, sums[6], live, ROWS.adapt_scale)
    _store_row(gp, to, n, sums[7], live, ROWS.adapt_alpha)
    _store_row(gp, to, n, sums[8], live, ROWS.adapt_gain)


@triton.jit
def _store_row(gp, to, n, value, live, ROW: tl.constexpr):
    if ROW >= 0:
        tl.store(gp + to + ROW * n, value, mask=live)
