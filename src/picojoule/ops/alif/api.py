"""The public function: check the call, choose an implementation, run it."""

from __future__ import annotations

from torch import Tensor

from picojoule.activation import (
    MembraneSubtract,
    ResetFunction,
    SingleExponential,
    SingleSpike,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.activation.parts import check_parts
from picojoule.ops.alif.output import ALIFOutput, ALIFState
from picojoule.ops.checks import CheckedCurrent
from picojoule.ops.dispatch import chosen
from picojoule.ops.implementations import IMPLEMENTATIONS
from picojoule.ops.spec import Feedback, NeuronSpec


def alif(
    current: Tensor,
    state: ALIFState | None = None,
    *,
    alpha_mem: Tensor | float,
    alpha_adapt: Tensor | float,
    alpha_syn: Tensor | float | None = None,
    adapt_scale: Tensor | float = 1.8,
    threshold: Tensor | float = 1.0,
    norm_input: bool = False,
    min_v_mem: Tensor | float | None = None,
    spike: SpikeFunction | type[SpikeFunction] = SingleSpike(),  # noqa: B008  (frozen, holds nothing)
    reset: ResetFunction = MembraneSubtract(),  # noqa: B008
    surrogate: SurrogateGradient = SingleExponential(),  # noqa: B008
    connect: Feedback | None = None,
    record: bool = False,
    impl: str = "auto",
    check_values: bool = True,
) -> ALIFOutput:
    """Adaptive leaky integrate-and-fire over a sequence.

        x[t] = current[t] + connect(s[t-1])          with connect, else x[t] = current[t]
        i[t] = alpha_syn * (i[t-1] + x[t])           with alpha_syn, else i[t] = x[t]
        v[t] = alpha_mem * v[t-1] + i[t]             (1 - alpha_mem) * i[t] with norm_input
        th[t] = threshold + adapt_scale * b[t-1]
        s[t] = spike(v[t], th[t]);  v[t] = max(reset(v[t], s[t], th[t]), min_v_mem)
        b[t] = alpha_adapt * b[t-1] + (1 - alpha_adapt) * s[t]

    Gradients flow through the reset and the adaptation; d s / d v is the surrogate. Half-precision
    input is computed in float32, and the state then is float32.

    Args:
        current: input current, `b t *n`, in the units of `threshold`.
        state: potential, spike trace and synaptic current before the first step, `b *n` each; zeros
            if omitted.
        alpha_mem: share of the potential kept per step, 0 < alpha_mem <= 1.
        alpha_adapt: share of the spike trace kept per step, 0 < alpha_adapt <= 1.
        alpha_syn: share of the synaptic current kept per step; None for no synaptic filter.
        adapt_scale: how far a trace of 1 raises the threshold; finite.
        threshold: potential at which a neuron at rest fires, > 0 and finite.
        norm_input: scale what reaches the potential by (1 - alpha_mem).
        min_v_mem: lower bound of the potential, applied after the reset; < inf.
        spike: spike function, a class or an instance.
        reset: what a spike does to the potential.
        surrogate: slope of the spike function in the backward pass.
        connect: recurrent connection, from a step's spikes `b *n` to what they add to the next step's
            input; None for none. The "cpu" and "triton" kernels run beside an `nn.Linear` from `n` to `n`
            without hooks, in the input's dtype (docs/adr/0015); any other is the reference's.
        record: also return the state after every step.
        impl: "auto" takes the fastest that can run this call; a named one never falls back. They are those
            of :func:`picojoule.ops.lif`.
        check_values: False leaves out the look for numbers out of their range and for what is no spike function, reset or
            surrogate, as layers do, which have looked before. Tensors are looked into on the CPU, where nothing has to
            be waited for, and not under torch.compile.

    Returns:
        `spikes`, `b t *n`, counts; `state`, `b *n`, for the next call; `recordings`, `b t *n` by
        state name, empty unless `record`.

    Raises:
        TypeError: `current` is not a floating point tensor; or `spike`, `reset` or `surrogate` cannot serve as one.
        ValueError: a shape does not fit, or a value is out of range; the message names both.

    Example:
        >>> import torch
        >>> alif(torch.full((1, 6, 1), 1.0), alpha_mem=1.0, alpha_adapt=0.5).spikes.flatten()
        tensor([1., 0., 1., 0., 1., 0.])

    Source: Bellec et al. 2018 (LSNN), arXiv 1803.09574; the order of operations is sinabs' (sinabs
    3.1.3, layers/functional/alif.py), except that `norm_input` scales the input alone and the synaptic
    current survives the call.
    """
    checked = CheckedCurrent("alif", current, check_values)
    if check_values:
        check_parts("alif", may_be_silent=False, spike=spike, reset=reset, surrogate=surrogate)
    neuron = NeuronSpec(
        alpha_mem=checked.ranged("alpha_mem", alpha_mem),
        alpha_syn=None if alpha_syn is None else checked.ranged("alpha_syn", alpha_syn),
        norm_input=norm_input,
        min_v_mem=None if min_v_mem is None else checked.ranged("min_v_mem", min_v_mem),
        connect=None if connect is None else checked.feedback(connect),
        threshold=checked.ranged("threshold", threshold),
        spike=spike,
        reset=reset,
        surrogate=surrogate,
        record=record,
        alpha_adapt=checked.ranged("alpha_adapt", alpha_adapt),
        adapt_scale=checked.ranged("adapt_scale", adapt_scale),
    )
    v_mem, b, i_syn, i_rec = state or (None, None, None, None)
    start = checked.states(neuron, v_mem, i_syn, b, i_rec)
    run, given = chosen(checked, impl, IMPLEMENTATIONS, neuron)
    outputs, end, recordings, sums = run(given, start, neuron)
    assert end.b is not None
    last = ALIFState(end.v_mem, end.b, end.i_syn, end.i_rec)
    output = ALIFOutput(outputs.to(current.dtype), last, recordings)
    output.sums = sums if outputs.dtype == current.dtype else None  # of what is given out
    return output
