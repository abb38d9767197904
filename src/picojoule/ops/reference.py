"""The definition of the neurons, in plain PyTorch. Every other implementation must equal it.

Time is taken apart once (`unbind`) and put together once (`stack`), so the backward pass is linear in the number
of steps; slicing `current[:, t]` would allocate a full-size gradient a step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.activation.spike_generation import fired
from picojoule.ops.spec import NeuronOutput, NeuronSpec, States


def run_reference(current: Tensor, states: States, neuron: NeuronSpec) -> NeuronOutput:
    """Run all time steps of `current`, `b t *n`; shapes are checked by the caller."""
    outputs: list[Tensor] = []
    recorded: list[States] = []
    for x in current.unbind(1):
        output, states = neuron_step(neuron, x, states)
        outputs.append(output)
        if neuron.record:
            recorded.append(states)
    names = [name for name, state in states._asdict().items() if state is not None]
    recordings = {
        name: _stack([getattr(state, name) for state in recorded], current)
        for name in (names if neuron.record else ())
    }
    return NeuronOutput(_stack(outputs, current), states, recordings)


def neuron_step(neuron: NeuronSpec, x: Tensor, states: States) -> tuple[Tensor, States]:
    """One time step: what the neuron gives out, `b *n`, and its states after it.

        x  = x + r                               with a recurrent connection
        i  = alpha_syn * (i + x)                 with a synaptic current, else i = x
        v  = alpha_mem * v + i                   (1 - alpha_mem) * i with norm_input
        th = threshold + adapt_scale * b         with adaptation, else th = threshold
        s  = spike(v, th)                        without a spike function s = v, and nothing is reset
        v  = max(reset(v, s, th), min_v_mem)
        b  = alpha_adapt * b + (1 - alpha_adapt) * s
        r  = connect(s)

    The bound is no clamp(): there is no gradient at the bound itself, as in sinabs, and NaN stays NaN.
    """
    v, i, b, r = states
    th, low, alpha_mem = neuron.threshold, neuron.min_v_mem, neuron.alpha_mem
    if r is not None:
        x = x + r
    if i is not None and neuron.alpha_syn is not None:
        x = i = neuron.alpha_syn * (i + x)
    if neuron.norm_input:
        x = (1 - alpha_mem) * x
    v = alpha_mem * v + x if neuron.leaks else v + x
    if b is not None:
        th = th + neuron.adapt_scale * b
    s = v if neuron.spike is None else fired(neuron.spike, v, th, neuron.surrogate)
    if neuron.spike is not None:
        v, i = _reset(neuron, s, v, i, th)
    if low is not None:
        v = torch.where(v <= low, low, v)
    if b is not None and neuron.alpha_adapt is not None:
        b = neuron.alpha_adapt * b + (1 - neuron.alpha_adapt) * s
    r = None if neuron.connect is None else neuron.connect(s)
    return s, States(v, i, b, r)


def _reset(
    neuron: NeuronSpec, s: Tensor, v: Tensor, i: Tensor | None, th: Tensor | float
) -> tuple[Tensor, Tensor | None]:
    """Potential and synaptic current after a reset, which takes and gives them by name."""
    states = {"v_mem": v} if i is None else {"v_mem": v, "i_syn": i}
    states = neuron.reset(s, states, th)
    return states["v_mem"], states.get("i_syn")


def _stack(steps: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(steps, dim=1) if steps else torch.zeros_like(like)
