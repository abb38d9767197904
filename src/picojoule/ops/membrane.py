"""The membrane that the neurons share: integrate, reset, bound. One time step each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from picojoule.activation import ResetFunction

Feedback = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Membrane:
    """How a potential follows its input: the part of a neuron that does not fire.

    ``connect`` makes the input that a step's output adds to the next step's; None for none.
    """

    alpha_mem: Tensor | float
    alpha_syn: Tensor | float | None
    norm_input: bool
    min_v_mem: Tensor | float | None
    connect: Feedback | None

    @property
    def leaks(self) -> bool:
        """False for integrate-and-fire: its potential needs no multiplication."""
        return isinstance(self.alpha_mem, Tensor) or self.alpha_mem != 1.0


def integrated(
    x: Tensor, v_mem: Tensor, i_syn: Tensor | None, i_rec: Tensor | None, membrane: Membrane
) -> tuple[Tensor, Tensor | None]:
    """Potential and synaptic current after an input of `x` and the feedback `i_rec`, all `b *n`."""
    if i_rec is not None:
        x = x + i_rec
    if membrane.alpha_syn is not None:
        assert i_syn is not None
        i_syn = membrane.alpha_syn * (i_syn + x)
        x = i_syn
    if membrane.norm_input:
        x = (1 - membrane.alpha_mem) * x
    return (membrane.alpha_mem * v_mem + x if membrane.leaks else v_mem + x), i_syn


def reset_by(
    reset: ResetFunction,
    spikes: Tensor,
    v_mem: Tensor,
    i_syn: Tensor | None,
    threshold: Tensor | float,
) -> tuple[Tensor, Tensor | None]:
    """Potential and synaptic current after a reset."""
    state = {"v_mem": v_mem} if i_syn is None else {"v_mem": v_mem, "i_syn": i_syn}
    state = reset(spikes, state, threshold)
    return state["v_mem"], state.get("i_syn")


def fed_back(output: Tensor, membrane: Membrane) -> Tensor | None:
    """What a step's output adds to the next step's input."""
    return None if membrane.connect is None else membrane.connect(output)


def bounded(v_mem: Tensor, min_v_mem: Tensor | float | None) -> Tensor:
    """The potential, lifted to its lower bound where there is one.

    Not clamp(): there is no gradient at the bound itself, as in sinabs, and NaN stays NaN.
    """
    if min_v_mem is None:
        return v_mem
    return torch.where(v_mem <= min_v_mem, min_v_mem, v_mem)
