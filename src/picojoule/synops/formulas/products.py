"""Formulas of matrix products in all their names."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from picojoule.synops.formulas.synapses import Synapses, contraction, unknown_labels


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> list[Synapses]:
    """Y = x W^T: each input reaches every output."""
    lead = unknown_labels(input.ndim - 1)
    rows = "o" * (weight.ndim - 1)
    return [contraction(f"{lead}i,{rows}i", input, weight, weights=[1])]


def bilinear(
    input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> list[Synapses]:
    """y[o] = sum of x1[i] W[o, i, j] x2[j]."""
    lead = unknown_labels(input1.ndim - 1)
    return [contraction(f"{lead}i,{lead}j,oij", input1, input2, weight, weights=[2])]


def matmul(*operands: Tensor, **named: Any) -> list[Synapses]:
    """y[i, j] = sum over k of a[i, k] b[k, j], for vectors and batches too."""
    first, other = _factors(operands, named)
    lead = unknown_labels(max(first.ndim, other.ndim, 2) - 2)
    left = "k" if first.ndim == 1 else lead[len(lead) - (first.ndim - 2) :] + "ik"
    right = "k" if other.ndim == 1 else lead[len(lead) - (other.ndim - 2) :] + "kj"
    return [contraction(f"{left},{right}", first, other)]


def reflected_matmul(right: Tensor, left: Tensor) -> list[Synapses]:
    """`left @ right`, as Python calls it on the right operand."""
    return matmul(left, right)


def after_bias(bias: Tensor | None = None, *operands: Any, **named: Any) -> list[Synapses]:
    """addmm, addmv, baddbmm, addbmm: a product added to something that nothing is multiplied by."""
    named.pop("input", None)
    return matmul(*operands, **named)


def inner(*operands: Tensor, **named: Any) -> list[Synapses]:
    """y[i, j] = sum over k of a[i, k] b[j, k]."""
    first, other = _factors(operands, named)
    left = unknown_labels(first.ndim - 1)
    right = unknown_labels(other.ndim - 1, taken=left)
    return [contraction(f"{left}k,{right}k", first, other)]


def vecdot(*operands: Tensor, **named: Any) -> list[Synapses]:
    """Y = sum of a[k] b[k] for each pair of vectors."""
    left, right = _factors(operands, named)
    lead = unknown_labels(max(left.ndim, right.ndim))
    a, b = (lead[len(lead) - x.ndim :] for x in (left, right))
    return [contraction(f"{a},{b}", left, right)]


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> list[Synapses]:
    """Sum over pairs of axes."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        dims = (range(a.ndim - dims, a.ndim), range(dims))
    pairs = [(i % a.ndim, j % b.ndim) for i, j in zip(*dims, strict=True)]
    left = unknown_labels(a.ndim)
    right = list(unknown_labels(b.ndim, taken=left))
    for i, j in pairs:
        right[j] = left[i]
    return [contraction(f"{left},{''.join(right)}", a, b)]


def einsum(equation: str, *operands: Any) -> list[Synapses]:
    """Any sum of products of two or more tensors.

    Raises:
        NotImplementedError: an operand names an index twice (a diagonal), or the equation is given
            as lists of numbers.
    """
    if not isinstance(equation, str):
        raise NotImplementedError("einsum in the sublist format; write the equation as a string")
    tensors = (
        operands[0] if len(operands) == 1 and not isinstance(operands[0], Tensor) else operands
    )
    groups = equation.replace(" ", "").partition("->")[0].split(",")
    taken = "".join(groups)
    widest = max(
        (
            x.ndim - len(group) + 3
            for group, x in zip(groups, tensors, strict=True)
            if "..." in group
        ),
        default=0,
    )
    lead = unknown_labels(widest, taken=taken)
    labels = []
    for group, x in zip(groups, tensors, strict=True):
        spread = x.ndim - len(group) + 3
        labels.append(group.replace("...", lead[widest - spread :] if spread else ""))
        if len(set(labels[-1])) < len(labels[-1]):
            raise NotImplementedError(f"einsum {equation!r} takes the diagonal of an operand")
    if len(tensors) < 2:
        return []  # a sum or a transposition multiplies nothing
    return [contraction(",".join(labels), *tensors)]


def multi_dot(tensors: Any, *, out: Tensor | None = None) -> list[Synapses]:
    """A chain of products: one with the next, in PyTorch's own order, which is not known here."""
    if len(tensors) == 2:
        return matmul(*tensors)
    raise NotImplementedError("a chain of three or more matrices; write the products with @")


def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> list[Synapses]:
    """As :func:`multi_dot`."""
    return multi_dot(matrices)


def _factors(operands: tuple[Any, ...], named: dict[str, Any]) -> list[Tensor]:
    """The two factors of a call, whose second has a different name in every function."""
    given = [*operands, *(x for name, x in named.items() if name != "out")]
    left, right, *_ = (x for x in given if isinstance(x, Tensor))
    return [left, right]
