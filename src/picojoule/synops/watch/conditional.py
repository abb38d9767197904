"""Functions that have synapses or have none, by what they are given."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from picojoule.synops.formulas import Synapses
from picojoule.synops.watch.elementwise import factors_of, synapses_between
from picojoule.synops.watch.names import base_name
from picojoule.synops.watch.origin import Origins
from picojoule.synops.watch.selection import selecting


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
