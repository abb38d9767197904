"""How a layer of neurons runs: which kernel, and its numbers in the engine's order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.events.graph import Stage, Term
from picojoule.events.signals import Signal
from picojoule.events.terms import CannotRunError, check_numbers
from picojoule.layers import ALIF, StatefulLayer
from picojoule.ops.plan import NONE, Plan, constants_of, plan_of, unsupported_part, values_of
from picojoule.ops.spec import NeuronSpec


@dataclass(frozen=True)
class Neurons:
    """A layer of neurons, or none, as the kernels have it.

    Args:
        kernel: name of the stage's kernel: "touched", "stepped", "passing", or one of whole numbers.
        plan: what the kernel is compiled for.
        parameters: `rows n`, or `rows` where all neurons share them.
        constants: the numbers of `ops/plan.py`.
        gain: what arriving currents are multiplied by, where that went into the weights.
        states: names of the layer's states, with their place in the tables.
        dtype: of the potentials.
        state_bits: width of potentials that are whole numbers; None for reals.
    """

    kernel: str
    plan: Plan | None
    parameters: Tensor
    constants: Tensor
    gain: float
    states: dict[str, str]
    dtype: torch.dtype = torch.float32
    state_bits: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether potentials are whole numbers."""
        return self.state_bits is not None

    @property
    def looks_at_reached(self) -> bool:
        """Whether only neurons that were reached are looked at."""
        return self.kernel == "touched" or self.is_whole

    @property
    def keep(self) -> float:
        """Share of the potential that a step keeps, of neurons whose leak is carried through when they are touched; else 1."""
        if self.plan is None or not (self.looks_at_reached and self.plan.leaks):
            return 1.0
        return float(self.parameters[self.plan.row("alpha_mem")])


_PLACES = {"v_mem": "potential", "i_syn": "synaptic", "b": "trace", "i_rec": "feedback"}


def neurons_of(stage: Stage) -> Neurons:
    """The neurons of a stage.

    Raises:
        CannotRunError: a part of the neuron is not one of the library's own.
    """
    if stage.neuron is None:
        return Neurons(
            "passing",
            None,
            torch.zeros(1, dtype=torch.float32),
            torch.zeros(1, dtype=torch.float32),
            1.0,
            {},
        )
    spec = spec_of(stage.neuron)
    _check(stage, spec)
    values = values_of(spec)
    shared = all(not isinstance(x, Tensor) or x.numel() == 1 for x in values.values())
    plan = replace(plan_of(spec, stepped=spec.connect is not None, shared=shared), surrogate=NONE)
    given = [values[name] for name in plan.parameters]
    states = {name: _PLACES[name] for name in stage.neuron.states()}
    constants = torch.tensor(constants_of(spec), dtype=torch.float32)
    gain = 1.0
    if _changes_by_events_alone(stage, plan, values):
        if plan.normed:
            gain = _number(values["gain_mem"])
            given = [values[name] for name in plan.parameters if name != "gain_mem"]
            plan = replace(plan, normed=False)
        return Neurons("touched", plan, _matrix(plan, given, stage.signal), constants, gain, states)
    return Neurons("stepped", plan, _matrix(plan, given, stage.signal), constants, gain, states)


def spec_of(layer: Any) -> NeuronSpec:
    """The neuron of a layer, as the operations have it."""
    adapts = isinstance(layer, ALIF)
    threshold = layer.b0 if adapts else layer.spike_threshold
    return NeuronSpec(
        alpha_mem=layer.alpha_mem_calculated,
        alpha_syn=layer.alpha_syn_calculated,
        norm_input=layer.norm_input,
        min_v_mem=layer.min_v_mem,
        connect=layer._modules.get("rec_connect"),
        threshold=1.0 if threshold is None else threshold,
        spike=layer.spike_fn,
        reset=layer.reset_fn,
        surrogate=layer.surrogate_grad_fn,
        record=False,
        alpha_adapt=layer.alpha_adapt_calculated if adapts else None,
        adapt_scale=layer.adapt_scale if adapts else 0.0,
    )


def recurrent_term(stage: Stage, own: int) -> Term | None:
    """What a stage hears of itself; None for nothing. `own` is the index of its signal."""
    connect: Any = None if stage.neuron is None else stage.neuron._modules.get("rec_connect")
    if connect is None:
        return None
    path = f"{stage.name}.rec_connect"
    check_numbers(path, connect)
    term = Term.of(own, stage.signal)
    return term.then(connect, path=path, call=path, layer=connect, shape=stage.signal.shape)


def _check(stage: Stage, spec: NeuronSpec) -> None:
    reason = unsupported_part(spec)
    if reason is not None:
        raise CannotRunError(stage.name, stage.neuron, f"cannot run event by event: {reason}.")
    connect = spec.connect
    if connect is None:
        return
    plain = (
        type(connect) is nn.Linear and not connect._forward_hooks and not connect._forward_pre_hooks
    )
    if not plain or len(stage.signal.shape) != 1:
        raise CannotRunError(
            stage.name,
            stage.neuron,
            "hears itself through something other than an nn.Linear from its neurons to its neurons.",
        )


def _changes_by_events_alone(stage: Stage, plan: Plan, values: dict[str, Any]) -> bool:
    """Whether a neuron that gets nothing can be left alone: it stays, or decays, below its threshold."""
    alone = (
        not (plan.synaptic or plan.adaptive or plan.stepped) and plan.spike != NONE and plan.shared
    )
    if not alone or stage.bias is not None:
        return False
    low, keep = values["min_v_mem"], _number(values["alpha_mem"])
    return (low is None or _number(low) <= 0) and 0 <= keep <= 1


def _matrix(plan: Plan, given: list[Any], signal: Signal) -> Tensor:
    """The parameters, `rows n` or `rows`."""
    if plan.shared:
        return torch.tensor([_number(value) for value in given] or [0.0], dtype=torch.float32)
    return torch.stack([signal.per_neuron(value) for value in given])


def states_of(layer: StatefulLayer | None) -> tuple[str, ...]:
    """Names of a layer's states."""
    return () if layer is None else tuple(layer.states())


def _number(value: Tensor | float | None) -> float:
    """A parameter that there is, and that all neurons share."""
    assert value is not None
    return value.detach().item() if isinstance(value, Tensor) else float(value)
