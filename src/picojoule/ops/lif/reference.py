"""The definition of the LIF recurrence, in plain PyTorch. Every other implementation must equal it.

Time is taken apart once (``unbind``) and put together once (``stack``), so the backward pass is
linear in the number of steps; slicing ``current[:, t]`` would allocate a full-size gradient a step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.ops.lif.spec import LIFOutput, LIFSpec, LIFState


def lif_reference(current: Tensor, state: LIFState, spec: LIFSpec) -> LIFOutput:
    """Run all time steps of ``current``, ``b t *n``; shapes are checked by the caller."""
    outputs: list[Tensor] = []
    states: list[LIFState] = []
    for x in current.unbind(1):
        output, state = _step(x, state, spec)
        outputs.append(output)
        if spec.record:
            states.append(state)
    return LIFOutput(_stack(outputs, current), state, _recordings(states, state, current, spec))


def _step(x: Tensor, state: LIFState, spec: LIFSpec) -> tuple[Tensor, LIFState]:
    v_mem, i_syn = state
    if spec.alpha_syn is not None:
        assert i_syn is not None
        i_syn = spec.alpha_syn * (i_syn + x)
        x = i_syn
    if spec.norm_input:
        x = (1 - spec.alpha_mem) * x
    v_mem = spec.alpha_mem * v_mem + x if spec.leaks else v_mem + x
    if spec.spike is None:
        output = v_mem
    else:
        output = spec.spike.apply(v_mem, spec.threshold, spec.surrogate)
        v_mem, i_syn = _reset(output, v_mem, i_syn, spec)
    if spec.min_v_mem is not None:
        # not clamp(): no gradient at the bound itself, as in sinabs; NaN stays NaN
        v_mem = torch.where(v_mem <= spec.min_v_mem, spec.min_v_mem, v_mem)
    return output, LIFState(v_mem, i_syn)


def _reset(
    spikes: Tensor, v_mem: Tensor, i_syn: Tensor | None, spec: LIFSpec
) -> tuple[Tensor, Tensor | None]:
    state = {"v_mem": v_mem} if i_syn is None else {"v_mem": v_mem, "i_syn": i_syn}
    state = spec.reset(spikes, state, spec.threshold)
    return state["v_mem"], state.get("i_syn")


def _stack(steps: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(steps, dim=1) if steps else torch.zeros_like(like)


def _recordings(
    states: list[LIFState], last: LIFState, like: Tensor, spec: LIFSpec
) -> dict[str, Tensor]:
    if not spec.record:
        return {}
    names = [name for name in LIFState._fields if getattr(last, name) is not None]
    return {name: _stack([getattr(state, name) for state in states], like) for name in names}
