"""sinabs' functional ALIF over :func:`picojoule.ops.alif`: states in dicts, arguments in sinabs' order."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from picojoule.activation import ResetFunction, SpikeFunction, SurrogateGradient
from picojoule.compat.sinabs.functional_lif import Output, States, present
from picojoule.ops import ALIFState, alif


def alif_forward(
    input_data: Tensor,
    alpha_mem: Tensor | float,
    alpha_adapt: Tensor | float,
    alpha_syn: Tensor | float | None,
    adapt_scale: Tensor | float,
    state: States,
    spike_fn: SpikeFunction | type[SpikeFunction],
    reset_fn: ResetFunction,
    surrogate_grad_fn: SurrogateGradient,
    min_v_mem: Tensor | float | None,
    b0: Tensor | float,
    norm_input: bool,
    record_states: bool = False,
) -> Output:
    """Adaptive leaky integrate-and-fire over a sequence `b t *n`; see :func:`picojoule.ops.alif`.

    Args:
        input_data: input current, `b t *n`.
        alpha_mem: share of the potential kept per step.
        alpha_adapt: share of the spike trace kept per step.
        alpha_syn: share of the synaptic current kept per step, or None.
        adapt_scale: how far a trace of 1 raises the threshold.
        state: `v_mem`, `b`, and `i_syn` with `alpha_syn`, `b *n`; not changed.
        spike_fn: spike function.
        reset_fn: what a spike does to the potential.
        surrogate_grad_fn: slope of the spike function.
        min_v_mem: lower bound of the potential.
        b0: threshold of a neuron at rest.
        norm_input: scale what reaches the potential by (1 - alpha_mem).
        record_states: also return the state after every step.

    Returns:
        Spikes `b t *n`, the state after the last step, and the recordings, `b t *n` by state name;
        both with the `spike_threshold` that follows from `b`.

    Example:
        >>> import torch
        >>> from picojoule.activation import *
        >>> settings = (SingleSpike, MembraneSubtract(), SingleExponential(), None, 1.0, False)
        >>> x, state = torch.ones(1, 6, 1), {"v_mem": torch.zeros(1, 1), "b": torch.zeros(1, 1)}
        >>> alif_forward(x, 1.0, 0.5, None, 1.8, state, *settings)[0].flatten()
        tensor([1., 0., 1., 0., 1., 0.])
    """
    return alif_recurrent(
        input_data=input_data,
        alpha_mem=alpha_mem,
        alpha_adapt=alpha_adapt,
        alpha_syn=alpha_syn,
        adapt_scale=adapt_scale,
        state=state,
        spike_fn=spike_fn,
        reset_fn=reset_fn,
        surrogate_grad_fn=surrogate_grad_fn,
        min_v_mem=min_v_mem,
        rec_connect=None,
        b0=b0,
        norm_input=norm_input,
        record_states=record_states,
    )


def alif_forward_single(input_data: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, States]:
    """One time step of :func:`alif_forward`: `input_data` has shape `b *n`, the rest is as there.

    Returns:
        Spikes `b *n` and the state after the step; the one handed in stays as it was.

    Example:
        >>> import torch
        >>> from picojoule.activation import *
        >>> settings = (SingleSpike, MembraneSubtract(), SingleExponential(), None, 1.0, False)
        >>> x, state = torch.ones(1, 1), {"v_mem": torch.zeros(1, 1), "b": torch.zeros(1, 1)}
        >>> spikes, state = alif_forward_single(x, 1.0, 0.5, None, 1.8, state, *settings)
        >>> state["spike_threshold"]
        tensor([[1.9000]])
    """
    spikes, state, _ = alif_forward(input_data.unsqueeze(1), *args, **kwargs)
    return spikes.squeeze(1), state


def alif_recurrent(
    input_data: Tensor,
    alpha_mem: Tensor | float,
    alpha_adapt: Tensor | float,
    alpha_syn: Tensor | float | None,
    adapt_scale: Tensor | float,
    state: States,
    spike_fn: SpikeFunction | type[SpikeFunction],
    reset_fn: ResetFunction,
    surrogate_grad_fn: SurrogateGradient,
    min_v_mem: Tensor | float | None,
    rec_connect: nn.Module | None,
    b0: Tensor | float,
    norm_input: bool,
    record_states: bool = False,
) -> Output:
    """:func:`alif_forward` with a recurrent connection from a step's spikes to the next step's input.

    The returned state also has `i_rec`, the feedback to the next step: handed in again, the sequence
    goes on as if it had not been cut. (sinabs drops it.)

    `rec_connect` is a module from spikes `b *n` to currents of as many elements, None for none; the other
    arguments are those of :func:`alif_forward`.

    Example:
        >>> import torch
        >>> from picojoule.activation import *
        >>> settings = (SingleSpike, MembraneSubtract(), SingleExponential(), None)
        >>> x = torch.tensor([[[1.0], [0.0], [0.0]]])
        >>> state = {"v_mem": torch.zeros(1, 1), "b": torch.zeros(1, 1)}
        >>> alif_recurrent(x, 1.0, 0.5, None, 0.0, state, *settings, nn.Identity(), 1.0, False)[0].flatten()
        tensor([1., 1., 1.])
    """
    start = ALIFState(state["v_mem"], state["b"], state.get("i_syn"), state.get("i_rec"))
    spikes, end, recordings = alif(
        input_data,
        start,
        alpha_mem=alpha_mem,
        alpha_adapt=alpha_adapt,
        alpha_syn=alpha_syn,
        adapt_scale=adapt_scale,
        threshold=b0,
        norm_input=norm_input,
        min_v_mem=min_v_mem,
        spike=spike_fn,
        reset=reset_fn,
        surrogate=surrogate_grad_fn,
        connect=rec_connect,
        record=record_states,
    )
    states = present(end._asdict())
    for values in (states, recordings):
        if "b" in values:
            values["spike_threshold"] = b0 + adapt_scale * values["b"]
    return spikes, states, recordings
