"""Products element by element: a synapse, a meeting of spikes, or only a gate or a scale.

- Spikes times weights, one weight an element: each spike arrives at one synapse, unless it is a neuron's own
  reset (`thresholds.py`).
- Dense values times a matrix of weights: multiplications. Times a vector it is a scale, as in a
  normalisation, and is not counted. A table that the model made of numbers is no weight.
- Data of which each operand is spread over axes of the other (an outer product, or `q[:, None] * k`):
  each value meets several, and each pair that meets counts.
- Spikes that meet several values each of weights that data have changed (`rules/changing.py`): synapses.
- Other products of data are gates (a mask, a reset, attention that lets spikes through): no synapses.
- What the model makes of numbers or of chance alone is a mask or noise, no data: `weight * (1 - torch.eye(n))`.
  With weights in it, it is weights: `weight + noise`. Drawn 0 or 1, one for each spike, it is a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.formulas import Synapses, contraction
from picojoule.synops.formulas.synapses import Count, unknown_labels
from picojoule.synops.magnitudes import Magnitudes
from picojoule.synops.watch.origins import Origins

Operands = Callable[..., tuple[Any, Any]]


def _two(a: Any = None, b: Any = None, *_: Any, **named: Any) -> tuple[Any, Any]:
    given = [x for x in (a, b, *named.values()) if x is not None]
    return given[0], given[1]


def _outer(a: Any = None, b: Any = None, **named: Any) -> tuple[Any, Any]:
    a, b = _two(a, b, **named)
    return a.unsqueeze(-1), b


def _last_two(_: Any = None, a: Any = None, b: Any = None, **named: Any) -> tuple[Any, Any]:
    factors = [x for x in (a, b, *(named.get(n) for n in ("tensor1", "tensor2"))) if x is not None]
    return factors[0], factors[1]


def _end_and_weight(
    _: Any = None, end: Any = None, weight: Any = None, **__: Any
) -> tuple[Any, Any]:
    return end, weight


def _start_and_weight(
    start: Any = None, _: Any = None, weight: Any = None, **named: Any
) -> tuple[Any, Any]:
    return named.get("input", start), weight


def _outer_after_bias(_: Any = None, a: Any = None, b: Any = None, **named: Any) -> tuple[Any, Any]:
    vectors = [x for x in (a, b, *(named.get(n) for n in ("vec1", "vec2"))) if x is not None]
    return vectors[0].unsqueeze(-1), vectors[1]


_OPERANDS: dict[str, tuple[Operands, ...]] = {
    "mul multiply __mul__ __rmul__ __imul__ mul_ multiply_": (_two,),
    "div divide true_divide __truediv__ __itruediv__ div_ divide_ true_divide_": (_two,),
    "outer ger": (_outer,),
    "cross linalg_cross": (_two,),
    "addcmul addcmul_ addcdiv addcdiv_": (_last_two,),
    "lerp lerp_": (_end_and_weight, _start_and_weight),  # start (1 - weight) + end weight
    "addr addr_": (_outer_after_bias,),
}
_BY_NAME = {name: operands for names, operands in _OPERANDS.items() for name in names.split()}
_QUOTIENTS = ("div", "divide", "true_divide", "truediv", "itruediv", "addcdiv")


def factors_of(name: str) -> tuple[Operands, ...]:
    """What finds the two factors of each product element by element in a function of this name."""
    return _BY_NAME.get(name, ())


def synapses_between(origins: Origins, name: str, a: Any, b: Any) -> list[Synapses]:
    """The synapses of a product element by element; none of a gate or a scale."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)) or 0 in (a.ndim, b.ndim):
        return []
    weights = [i for i, x in enumerate((a, b)) if _is_weights(origins, x)]
    quotient = name.strip("_") in _QUOTIENTS
    if len(weights) == 2 or (quotient and weights != [1]):
        return []
    if any(origins.is_of_numbers(x) for i, x in enumerate((a, b)) if i not in weights):
        return []
    if any(x.numel() <= 1 for i, x in enumerate((a, b)) if i in weights or not weights):
        return []
    if not weights:
        meet = _arrives(origins, a, b) or _arrives(origins, b, a)
        meet = meet or (spreads(a, b) and spreads(b, a))
        return [aligned(a, b)] if meet and not quotient else []
    weight, data = (a, b) if weights == [0] else (b, a)
    if not origins.is_held(weight) or _is_drawn_mask(origins, weight, data):
        return []
    if is_scale(weight) and origins.of(data).kind != "spikes":
        return []
    synapses = aligned(a, b, weights)
    looked_at = origins.constant(weight) is not None and not origins.is_parameter(weight)
    return [unless_mask(synapses, weight) if looked_at else synapses]


def _arrives(origins: Origins, data: Tensor, weight: Tensor) -> bool:
    """Whether spikes meet weights that data have changed, each of them several."""
    changed = origins.changed_weights(weight) and spreads(weight, data)
    return bool(changed) and origins.of(data).kind == "spikes"


def _is_weights(origins: Origins, x: Tensor) -> bool:
    return origins.constant(x) is not None or bool(origins.weights_in(x))


def _is_drawn_mask(origins: Origins, weight: Tensor, data: Tensor) -> bool:
    """Whether it is 0 or 1 by chance, one of them for each value: a dropout with probabilities of its own."""
    its = origins.of(weight)
    return its.kind == "spikes" and not its.signed and not spreads(weight, data)


def aligned(a: Tensor, b: Tensor, weights: list[int] | None = None) -> Synapses:
    """The synapses of a product whose operands broadcast against each other."""
    labels = unknown_labels(max(a.ndim, b.ndim))
    groups = ",".join(labels[len(labels) - x.ndim :] for x in (a, b))
    return contraction(groups, a, b, weights=weights or [])


def unless_mask(synapses: Synapses, buffer: Tensor) -> Synapses:
    """No synapses if a buffer holds only 0 and one other value: then it is a mask."""
    held = buffer.detach()
    other = torch.take(held, held.abs().argmax())
    is_mask = ((held == 0) | (held == other)).all()

    def count(values: Sequence[Magnitudes | None]) -> Count:
        return synapses.count(values) * ~is_mask

    return replace(synapses, count=count)


def spreads(a: Tensor, b: Tensor) -> bool:
    """Whether `a` has an axis that `b` lacks."""
    padded = (1,) * (a.ndim - b.ndim) + tuple(b.shape)
    return any(n > 1 and m == 1 for n, m in zip(a.shape, padded[-a.ndim :], strict=True))


def is_scale(weight: Tensor) -> bool:
    """Whether its values lie along one axis, as those of a normalisation do; spectra are kernels."""
    return sum(length > 1 for length in weight.shape) <= 1 and not weight.is_complex()
