"""What a formula says of a call: which operands carry spikes, and what one spike of each reaches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from picojoule.synops.magnitudes import Magnitudes, exact_dtype

Count = Tensor | float
Counting = Callable[[Sequence[Magnitudes | None]], Count]


@dataclass(frozen=True, eq=False)
class Synapses:
    """The synapses of a call: all index tuples at which its multilinear sum multiplies operands.

        count = sum over synapses of the product of the operands' values there

    with |x| for an operand of spikes, 1 or (weight != 0) for weights, 1 for dense data. Without an
    operand of spikes it is the number of multiplications.

    Args:
        operands: the tensors that are multiplied: data, weights, or what may be either.
        weights: positions of those operands that are weights by their role.
        count: the sum, from one value an operand; None stands for ones.
        channel: which axis of the first operand of data are its channels or features, from the end;
            None if it has none.
        leading: over how many of its leading axes the first operand may be summed before it is counted, if it
            alone is data; the rest of the count follows from shapes and weights.
    """

    operands: tuple[Tensor, ...]
    weights: frozenset[int]
    count: Counting
    channel: int | None = -1
    leading: int = 0


def fixed(operand: Tensor, fan_out: Tensor | float, leading: int = 1) -> Synapses:
    """Synapses whose number is known for each element of an operand: what a formula of your own gives.

        count = sum of |operand| * fan_out

    Args:
        operand: what carries the spikes.
        fan_out: synapses of each element: a number, or a tensor that broadcasts to `operand`
            without its leading axes.
        leading: how many leading axes are samples and time.

    Example:
        >>> spikes = torch.ones(5, 3)
        >>> fixed(spikes, fan_out=4.0).count([Magnitudes(spikes)])
        tensor(60., dtype=torch.float64)
    """

    def count(values: Sequence[Magnitudes | None]) -> Count:
        (value,) = values
        rest = operand.shape[leading:]
        steps = math.prod(operand.shape[:leading])
        if not isinstance(fan_out, Tensor):
            return operand.numel() * fan_out if value is None else value.total * fan_out
        if value is None:
            return fan_out.expand(rest).sum(dtype=exact_dtype(fan_out)) * steps
        sums = value.over(range(leading))
        return (sums * fan_out).sum(dtype=exact_dtype(sums))

    return Synapses((operand,), frozenset(), count, channel=min(leading - operand.ndim, -1))


def contraction(
    labels: str,
    *operands: Tensor,
    weights: Sequence[int] = (),
    sizes: Mapping[str, int] | None = None,
) -> Synapses:
    """Synapses of a sum of products, in the notation of `torch.einsum` without its output.

    A label names an index; an axis of length 1 is spread over the lengths that others give its
    label. Labels that no operand has are given by `sizes`.

    Args:
        labels: one group of labels an operand, with commas between: "bi,oi" for a linear layer.
        *operands: the tensors.
        weights: positions of the operands that are weights.
        sizes: lengths of labels that stand in no operand, such as the steps of a recurrent layer.

    Example:
        >>> x, weight = torch.ones(2, 3), torch.zeros(4, 3)
        >>> contraction("bi,oi", x, weight, weights=[1]).count([Magnitudes(x), None])
        tensor(24., dtype=torch.float64)
    """
    groups = labels.split(",")
    lengths = dict(sizes or {})
    for group, operand in zip(groups, operands, strict=True):
        for label, length in zip(group, operand.shape, strict=True):
            lengths[label] = length if lengths.get(label, 1) == 1 else lengths[label]
    held = [
        {axis: label for axis, label in enumerate(group) if operand.shape[axis] == lengths[label]}
        for group, operand in zip(groups, operands, strict=True)
    ]

    def count(values: Sequence[Magnitudes | None]) -> Count:
        valued = [(v, h) for v, h in zip(values, held, strict=True) if v is not None]
        covered = {label for _, axes in valued for label in axes.values()}
        copies = math.prod(n for label, n in lengths.items() if label not in covered)
        if len(valued) <= 1:
            return valued[0][0].total * copies if valued else float(copies)
        return _coincidences(valued) * copies

    others = {label for group in groups[1:] for label in group}
    alone = list(itertools.takewhile(lambda label: label not in others, groups[0]))
    return Synapses(tuple(operands), frozenset(weights), count, leading=len(alone))


def _coincidences(valued: list[tuple[Magnitudes, dict[int, str]]]) -> Tensor:
    """Sum of the product of several operands; each is first summed over the labels it has alone."""
    labels = [set(axes.values()) for _, axes in valued]
    shared = sorted(
        label for label in set().union(*labels) if sum(label in have for have in labels) > 1
    )
    product: Tensor | None = None
    for value, axes in valued:
        alone = [axis for axis in range(value.ndim) if axes.get(axis) not in shared]
        left = [axes[axis] for axis in range(value.ndim) if axes.get(axis) in shared]
        sums = value.over(alone).permute([left.index(label) for label in shared if label in left])
        shape = iter(sums.shape)
        sums = sums.reshape([next(shape) if label in left else 1 for label in shared])
        sums = sums.to(exact_dtype(sums))
        product = sums if product is None else product * sums
    assert product is not None
    return product.sum()


def unknown_labels(count: int, taken: str = "") -> str:
    """That many labels that are not taken."""
    letters = (chr(code) for code in range(0x3B1, 0x3B1 + 200))
    return "".join(
        label
        for label, _ in zip((c for c in letters if c not in taken), range(count), strict=False)
    )


def masked(weight: Tensor) -> Tensor:
    """1 where a weight is, 0 where it has been pruned away."""
    return (weight.detach() != 0).to(torch.float32)
