"""sinabs' functional LIF over :func:`picojoule.ops.lif`: states in dicts, arguments in sinabs' order."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from picojoule.activation import ResetFunction, SpikeFunction, SurrogateGradient
from picojoule.ops import LIFState, lif

States = dict[str, Tensor]
Output = tuple[Tensor, States, States]


def lif_forward(
    input_data: Tensor,
    alpha_mem: Tensor | float,
    alpha_syn: Tensor | float | None,
    state: States,
    spike_threshold: Tensor | float,
    spike_fn: SpikeFunction | type[SpikeFunction] | None,
    reset_fn: ResetFunction,
    surrogate_grad_fn: SurrogateGradient,
    min_v_mem: Tensor | float | None,
    norm_input: bool,
    record_states: bool = False,
) -> Output:
    """Leaky integrate-and-fire over a sequence `b t *n`; see :func:`picojoule.ops.lif`.

    Args:
        input_data: input current, `b t *n`.
        alpha_mem: share of the potential kept per step.
        alpha_syn: share of the synaptic current kept per step, or None.
        state: `v_mem`, and `i_syn` with `alpha_syn`, `b *n`; not changed.
        spike_threshold: potential at which a neuron fires.
        spike_fn: spike function; None gives out the potential.
        reset_fn: what a spike does to the potential.
        surrogate_grad_fn: slope of the spike function.
        min_v_mem: lower bound of the potential.
        norm_input: scale the input by (1 - alpha_mem).
        record_states: also return the state after every step.

    Returns:
        Spikes `b t *n`, the state after the last step, and the recordings, `b t *n` by state name.

    Example:
        >>> import torch
        >>> from picojoule.activation import *
        >>> settings = (1.0, MultiSpike, MembraneSubtract(), SingleExponential(), None, False)
        >>> x, state = torch.full((1, 4, 1), 0.5), {"v_mem": torch.zeros(1, 1)}
        >>> lif_forward(x, 1.0, None, state, *settings)[0].flatten()
        tensor([0., 1., 0., 1.])
    """
    return lif_recurrent(
        input_data=input_data,
        alpha_mem=alpha_mem,
        alpha_syn=alpha_syn,
        state=state,
        spike_threshold=spike_threshold,
        spike_fn=spike_fn,
        reset_fn=reset_fn,
        surrogate_grad_fn=surrogate_grad_fn,
        min_v_mem=min_v_mem,
        norm_input=norm_input,
        rec_connect=None,
        record_states=record_states,
    )


def lif_forward_single(input_data: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, States]:
    """One time step of :func:`lif_forward`: `input_data` has shape `b *n`, the rest is as there.

    Returns:
        Spikes `b *n` and the state after the step; the one handed in stays as it was.

    Example:
        >>> import torch
        >>> from picojoule.activation import *
        >>> settings = (1.0, MultiSpike, MembraneSubtract(), SingleExponential(), None, False)
        >>> x, state = torch.full((1, 1), 2.5), {"v_mem": torch.zeros(1, 1)}
        >>> lif_forward_single(x, 1.0, None, state, *settings)
        (tensor([[2.]]), {'v_mem': tensor([[0.5000]])})
    """
    spikes, state, _ = lif_forward(input_data.unsqueeze(1), *args, **kwargs)
    return spikes.squeeze(1), state


def lif_recurrent(
    input_data: Tensor,
    alpha_mem: Tensor | float,
    alpha_syn: Tensor | float | None,
    state: States,
    spike_threshold: Tensor | float,
    spike_fn: SpikeFunction | type[SpikeFunction] | None,
    reset_fn: ResetFunction,
    surrogate_grad_fn: SurrogateGradient,
    min_v_mem: Tensor | float | None,
    norm_input: bool,
    rec_connect: nn.Module | None,
    record_states: bool = False,
) -> Output:
    """:func:`lif_forward` with a recurrent connection from a step's spikes to the next step's input.

    The returned state also has `i_rec`, the feedback to the next step: handed in again, the sequence
    goes on as if it had not been cut. (sinabs drops it.)

    `rec_connect` is a module from spikes `b *n` to currents of as many elements, None for none; the other
    arguments are those of :func:`lif_forward`.

    Example:
        >>> import torch
        >>> from picojoule.activation import *
        >>> settings = (1.0, MultiSpike, MembraneSubtract(), SingleExponential(), None, False)
        >>> x, state = torch.tensor([[[1.0], [0.0], [0.0]]]), {"v_mem": torch.zeros(1, 1)}
        >>> lif_recurrent(x, 1.0, None, state, *settings, nn.Identity())[0].flatten()
        tensor([1., 1., 1.])
    """
    start = LIFState(state["v_mem"], state.get("i_syn"), state.get("i_rec"))
    spikes, end, recordings = lif(
        input_data,
        start,
        alpha_mem=alpha_mem,
        alpha_syn=alpha_syn,
        threshold=1.0 if spike_threshold is None else spike_threshold,
        norm_input=norm_input,
        min_v_mem=min_v_mem,
        spike=spike_fn,
        reset=reset_fn,
        surrogate=surrogate_grad_fn,
        connect=rec_connect,
        record=record_states,
    )
    return spikes, present(end._asdict()), recordings


def present(states: dict[str, Tensor | None]) -> States:
    """The states that there are."""
    return {name: state for name, state in states.items() if state is not None}
