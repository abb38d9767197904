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
    return factors_of(name) is not None or selecting(name) is not None


def conditional_synapses(
    origins: Origins, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Synapses]:
    """The synapses of such a call; none of a gate, a scale, or a selection by the model itself."""
    name = base_name(function)
    factors = factors_of(name)
    if factors is not None:
        return synapses_between(origins, name, *factors(*args, **kwargs))
    select = selecting(name)
    assert select is not None
    return select(origins, function, args, kwargs)


def scales(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that a product element by element multiplies."""
    factors = factors_of(base_name(function))
    given = factors(*args, **kwargs) if factors is not None else ()
    return [x for x in given if isinstance(x, Tensor)]
