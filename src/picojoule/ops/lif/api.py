"""The public function: check the call, choose an implementation, run it."""

from __future__ import annotations

from torch import Tensor

from picojoule.activation import (
    MembraneSubtract,
    MultiSpike,
    ResetFunction,
    SingleExponential,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.activation.parts import check_parts
from picojoule.ops.checks import CheckedCurrent
from picojoule.ops.dispatch import chosen
from picojoule.ops.implementations import IMPLEMENTATIONS
from picojoule.ops.lif.output import LIFOutput, LIFState
from picojoule.ops.spec import Feedback, NeuronSpec


def lif(
    current: Tensor,
    state: LIFState | None = None,
    *,
    alpha_mem: Tensor | float,
    alpha_syn: Tensor | float | None = None,
    threshold: Tensor | float = 1.0,
    norm_input: bool = False,
    min_v_mem: Tensor | float | None = None,
    spike: SpikeFunction | type[SpikeFunction] | None = MultiSpike(),  # noqa: B008  (frozen, holds nothing)
    reset: ResetFunction = MembraneSubtract(),  # noqa: B008
    surrogate: SurrogateGradient = SingleExponential(),  # noqa: B008
    connect: Feedback | None = None,
    record: bool = False,
    impl: str = "auto",
    check_values: bool = True,
) -> LIFOutput:
    """Leaky integrate-and-fire over a sequence.

        x[t] = current[t] + connect(s[t-1])          with connect, else x[t] = current[t]
        i[t] = alpha_syn * (i[t-1] + x[t])           with alpha_syn, else i[t] = x[t]
        v[t] = alpha_mem * v[t-1] + i[t]             (1 - alpha_mem) * i[t] with norm_input
        s[t] = spike(v[t])                           a potential equal to the threshold fires
        v[t] = max(reset(v[t], s[t]), min_v_mem)

    Gradients flow through the reset; d s / d v is the surrogate. Half-precision input is computed
    in float32, and the state then is float32.

    Args:
        current: input current, `b t *n`, in the units of `threshold`.
        state: potential and synaptic current before the first step, `b *n` each; zeros if omitted.
        alpha_mem: share of the potential kept per step, 0 < alpha_mem <= 1; 1 is integrate-and-fire.
        alpha_syn: share of the synaptic current kept per step; None for no synaptic filter.
        threshold: potential at which a neuron fires, > 0 and finite.
        norm_input: scale the input by (1 - alpha_mem), so that a constant input is also the limit of v.
        min_v_mem: lower bound of the potential, applied after the reset; < inf.
        spike: spike function, a class or an instance; None never fires, and the potential before the bound is given out.
        reset: what a spike does to the potential.
        surrogate: slope of the spike function in the backward pass.
        connect: recurrent connection, from a step's spikes `b *n` to what they add to the next step's
            input; None for none. The "cpu" and "triton" kernels run beside an `nn.Linear` from `n` to `n`
            without hooks, in the input's dtype (docs/adr/0015); any other is the reference's.
        record: also return the state after every step.
        impl: "reference" is plain PyTorch; "cpu" and "triton" are fused kernels, on the CPU and on a GPU, for the
            built-in spikes, resets and surrogates: the same spikes, gradients equal but for rounding, in less
            time (docs/adr/0009, 0011). They compute in float32; "cpu" also in float64. "auto" takes the fastest that can run this call; a
            named one never falls back.
        check_values: False leaves out the look for numbers out of their range and for what is no spike function, reset or
            surrogate, as layers do, which have looked before. Tensors are looked into on the CPU, where nothing has to
            be waited for, and not under torch.compile.

    A tensor for alpha_mem, alpha_syn, threshold or min_v_mem broadcasts over `*n`.

    Returns:
        `spikes`, `b t *n`, counts; `state`, `b *n`, for the next call; `recordings`, `b t *n` by
        state name, empty unless `record`.

    Raises:
        TypeError: `current` is not a floating point tensor; or `spike`, `reset` or `surrogate` cannot serve as one.
        ValueError: a shape does not fit, or a value is out of range; the message names both. Or `impl`
            cannot run this call; the message says why.

    Example:
        >>> import torch
        >>> out = lif(torch.full((1, 4, 1), 0.6), alpha_mem=1.0)
        >>> out.spikes.flatten()
        tensor([0., 1., 0., 1.])
        >>> out.state.v_mem
        tensor([[0.4000]])

    Source: Gerstner et al. 2014, Neuronal Dynamics, section 1.3; the order of operations is
    sinabs' (sinabs 3.1.3, layers/functional/lif.py), kept so that networks carry over.
    """
    checked = CheckedCurrent("lif", current, check_values)
    if check_values:
        check_parts("lif", spike=spike, reset=reset, surrogate=surrogate)
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
    )
    v_mem, i_syn, i_rec = state or (None, None, None)
    start = checked.states(neuron, v_mem, i_syn, None, i_rec)
    run, given = chosen(checked, impl, IMPLEMENTATIONS, neuron)
    outputs, end, recordings, sums = run(given, start, neuron)
    last = LIFState(end.v_mem, end.i_syn, end.i_rec)
    output = LIFOutput(outputs.to(current.dtype), last, recordings)
    output.sums = sums if outputs.dtype == current.dtype else None  # of what is given out
    return output
