"""Functions that have synapses or have none, by what they are given."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from picojoule.synops.formulas import Synapses
from picojoule.synops.watch.elementwise import factors_of, synapses_between
from picojoule.synops.watch.names import base_name, op_name
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.selection import selecting

_DIFFERENCES = frozenset(["sub", "rsub", "subtract"])


def is_conditional(function: Any) -> bool:
    """Whether a function multiplies element by element, or selects."""
    name = base_name(function)
    return bool(factors_of(name)) or selecting(name) is not None


def conditional_synapses(
    origins: Origins, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Synapses]:
    """The synapses of such a call; none of a gate, a scale, or a selection by the model itself."""
    name = base_name(function)
    products = factors_of(name)
    if products:
        pairs = [factors(*args, **kwargs) for factors in products]
        return [synapses for a, b in pairs for synapses in synapses_between(origins, name, a, b)]
    select = selecting(name)
    assert select is not None
    return select(origins, function, args, kwargs)


def scales(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that a product element by element multiplies."""
    pairs = [factors(*args, **kwargs) for factors in factors_of(base_name(function))]
    return [x for pair in pairs for x in pair if isinstance(x, Tensor)]


def measures_distances(origins: Origins, function: Any, args: tuple[Any, ...]) -> bool:
    """Whether weights are no offsets: each of several is held against the same values, `x[:, None] - centres`.

    They have an axis that the values lack, and one that both have, along which distances are added up.
    """
    pair = args[:2]
    if op_name(function) not in _DIFFERENCES or not all(isinstance(x, Tensor) for x in pair):
        return False
    weights = [x for x in pair if origins.is_parameter(x)]
    values = [x for x in pair if origins.constant(x) is None and not origins.is_of_numbers(x)]
    if len(weights) != 1 or len(values) != 1:
        return False
    ours, theirs = (tuple(x.shape) for x in (*weights, *values))
    axes = max(len(ours), len(theirs))
    both = zip(*((1,) * (axes - len(shape)) + shape for shape in (ours, theirs)), strict=True)
    lengths = [(n > 1, m > 1) for n, m in both]
    return (True, False) in lengths and (True, True) in lengths
