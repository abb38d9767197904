"""A stage's weights and its neurons' numbers in the units of their potential, as asynchronous execution has them."""

# More than 250 lines: all changes of a layer's numbers by a chip's limits stand side by side.

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from picojoule.events.graph import Stage
from picojoule.events.orders.kernels import tables
from picojoule.events.plan import StagePlan
from picojoule.events.synapses import Synapses
from picojoule.events.terms import CannotRunError
from picojoule.ops.plan import LIMIT, NONE, RESET_VALUE

_RARELY = "cannot run asynchronously: "


@dataclass(frozen=True)
class LayerNumbers:
    """A stage.

    Args:
        kind: what it does with what arrives; `kernels.tables.SPIKES` and the others.
        synapses: of each edge of its plan, the recurrent one last.
        bias: what arrives at the beginning of a step, `n`; None for nothing.
        own_bias: the same from the second step on.
        keep: share of the potential that a step keeps, `n`, and so are the next six.
        gain: what arrives is multiplied by.
        threshold: from which on a neuron fires.
        cost: what a spike takes off.
        low: lower bound of the potential, -inf for none.
        floor: down to which a tick takes it.
        keep_synaptic: share of the synaptic current that a step keeps; None without one.
        single: an update makes one spike at most.
        limit: most spikes of an update, 0 for any number.
        resets: a spike sets the potential.
        reset_value: to this.
        top: highest potential.
        loss: what a tick takes off.
        whole: potentials are cut to whole numbers when they leak.
        scale: what potentials are multiplied by.
    """

    kind: int
    synapses: tuple[Synapses, ...]
    bias: Tensor | None
    own_bias: Tensor | None
    keep: Tensor
    gain: Tensor
    threshold: Tensor
    cost: Tensor
    low: Tensor
    floor: Tensor
    keep_synaptic: Tensor | None = None
    single: bool = False
    limit: int = 0
    resets: bool = False
    reset_value: float = 0.0
    top: float = float("inf")
    loss: float = 0.0
    whole: bool = False
    scale: float = 1.0

    @property
    def leaks(self) -> bool:
        """Whether a potential decays."""
        return bool((self.keep != 1).any())


def numbers_of(stage: Stage, plan: StagePlan) -> LayerNumbers:
    """The numbers of a stage, as the model has them.

    Raises:
        NotImplementedError: its neurons adapt.
    """
    n, own = stage.signal.neurons, plan.neurons.plan
    given: dict[str, Tensor] = {}
    if own is not None:
        if own.adaptive:
            raise CannotRunError(
                stage.name,
                stage.neuron,
                f"{_RARELY}its threshold follows its spikes of whole steps. Use order='step', or LIF.",
            )
        rows = plan.neurons.parameters
        given = {name: rows[own.row(name)].expand(n).contiguous() for name in own.parameters}
    ones = torch.ones(n, dtype=torch.float32)
    unbounded = torch.full((n,), -torch.inf, dtype=torch.float32)
    threshold = given.get("threshold", ones)
    low = given.get("min_v_mem", unbounded)
    constants = plan.neurons.constants
    numbers = LayerNumbers(
        kind=_kind(stage, plan),
        synapses=tuple(edge.synapses for edge in plan.all_edges),
        bias=plan.bias,
        own_bias=plan.recurrent_bias,
        keep=given.get("alpha_mem", ones),
        gain=given.get("gain_mem", ones),
        threshold=threshold,
        cost=given.get("cost", threshold),
        low=low,
        floor=low.where(low.isfinite(), 0.0),
        keep_synaptic=given.get("alpha_syn"),
    )
    if own is None or own.spike == NONE:
        return numbers
    return replace(
        numbers,
        single=own.spike == "single",
        limit=int(constants[LIMIT]) if own.limited else 0,
        resets=own.reset == "to",
        reset_value=float(constants[RESET_VALUE]),
    )


def _kind(stage: Stage, plan: StagePlan) -> int:
    if stage.takes_largest:
        return tables.LARGEST
    if plan.neurons.plan is None:
        return tables.PASSES
    return tables.READS if plan.neurons.plan.spike == NONE else tables.SPIKES


def one_threshold(numbers: LayerNumbers) -> LayerNumbers:
    """The neurons get the mean of their thresholds; a spike that took off the threshold takes off that.

    threshold' = mean over neurons of threshold
    """
    mean = numbers.threshold.double().mean().float().expand_as(numbers.threshold).contiguous()
    follows = torch.equal(numbers.cost, numbers.threshold)
    return replace(numbers, threshold=mean, cost=mean if follows else numbers.cost)


def with_loss(numbers: LayerNumbers, tick_steps: int) -> LayerNumbers:
    """What a tick of the slow clock takes off, so that a potential at the threshold loses what it would by its leak.

    loss = mean over neurons of threshold (1 - alpha^tick_steps)
    """
    lost = numbers.threshold.double() * (1 - numbers.keep.double() ** tick_steps)
    return replace(numbers, loss=float(lost.mean()))


def _largest(values: Tensor, bits: int) -> float:
    """The scale at which all values still fit into a width; inf if all are zero."""
    highest, lowest = float(values.max()), float(values.min())
    largest = 2.0 ** (bits - 1) - 1
    fits = [float("inf")]
    if highest > 0:
        fits.append(largest / highest)
    if lowest < 0:
        fits.append((largest + 1) / -lowest)
    return min(fits)


def rounded(
    numbers: LayerNumbers, name: str, weight_bits: int, bias_bits: int, state_bits: int | None
) -> LayerNumbers:
    """Weights, and with `state_bits` potentials, as whole numbers; see :class:`ChipLimits`.

    Raises:
        ValueError: the threshold would become 0.
    """
    # a gain that all neurons share goes into the weights, as `discretize` has it
    share = float(numbers.gain[0]) if len(numbers.gain) else 1.0
    if bool((numbers.gain != share).any()):
        raise NotImplementedError(
            f"events: layer {name!r} has norm_input=True and neurons of different tau_mem, so its weights cannot be whole "
            "numbers. Use norm_input=False, or one tau_mem a layer."
        )
    is_neuron = numbers.kind in (tables.SPIKES, tables.READS)
    limits = [_largest(torch.from_numpy(s.weights) * share, weight_bits) for s in numbers.synapses]
    biases = [b for b in (numbers.bias, numbers.own_bias) if b is not None]
    limits += [_largest(b * share, bias_bits) for b in biases]
    if state_bits is not None and numbers.kind == tables.SPIKES:
        limits += [_largest(x, state_bits) for x in _held(numbers)]
    scale = min(limits)
    if scale == float("inf") or numbers.kind == tables.LARGEST:
        return numbers
    # what goes out of a layer without neurons keeps its units
    back = 1.0 if is_neuron else 1 / scale
    whole = replace(
        numbers,
        synapses=tuple(
            _whole_weights(s, scale * share, weight_bits, back) for s in numbers.synapses
        ),
        bias=_whole(numbers.bias, scale * share, bias_bits, back),
        own_bias=_whole(numbers.own_bias, scale * share, bias_bits, back),
        gain=torch.ones_like(numbers.gain),
        scale=scale if is_neuron else 1.0,
    )
    return _in_units(whole, name, state_bits) if is_neuron else whole


def _held(numbers: LayerNumbers) -> list[Tensor]:
    """What stands in units of the potential."""
    bound = numbers.low[numbers.low.isfinite()]
    held = [
        numbers.threshold,
        numbers.cost,
        torch.tensor([numbers.reset_value], dtype=torch.float32),
    ]
    return [*held, bound] if len(bound) else held


def _in_units(numbers: LayerNumbers, name: str, state_bits: int | None) -> LayerNumbers:
    """All that stands in units of the potential, times the scale; rounded and bounded with `state_bits`."""
    scale = numbers.scale
    if state_bits is None or numbers.kind == tables.READS:
        return replace(
            numbers,
            threshold=numbers.threshold * scale,
            cost=numbers.cost * scale,
            low=numbers.low * scale,
            floor=numbers.floor * scale,
            reset_value=numbers.reset_value * scale,
            loss=numbers.loss * scale,
        )
    threshold = _whole(numbers.threshold, scale, state_bits)
    assert threshold is not None
    if bool((threshold < 1).any()):
        raise ValueError(
            f"events: the threshold of {name!r} would be rounded to 0, for the weights in front of it are more than "
            f"{1 / (float(numbers.threshold.min()) * scale):.0f} times too large for it. Call normalize_weights first."
        )
    lowest = -(2.0 ** (state_bits - 1))
    low = (numbers.low.double() * scale).round().clamp(min=lowest).float()
    cost = _whole(numbers.cost, scale, state_bits)
    reset = _whole(torch.tensor([numbers.reset_value], dtype=torch.float32), scale, state_bits)
    assert cost is not None
    assert reset is not None
    return replace(
        numbers,
        threshold=threshold,
        cost=cost,
        low=low,
        floor=low.where(low.isfinite(), 0.0),
        reset_value=float(reset),
        top=2.0 ** (state_bits - 1) - 1,
        loss=float(round(numbers.loss * scale)),
        whole=True,
    )


def _whole(values: Tensor | None, scale: float, bits: int, back: float = 1.0) -> Tensor | None:
    """Half to even; what exceeds the range by a rounding error is put back into it."""
    if values is None:
        return None
    lowest, highest = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return ((values.double() * scale).round().clamp(lowest, highest) * back).float()


def _whole_weights(own: Synapses, scale: float, bits: int, back: float) -> Synapses:
    made = _whole(torch.from_numpy(own.weights), scale, bits, back)
    assert made is not None
    return replace(own, weights=np.ascontiguousarray(made.numpy()), patterns=None)
