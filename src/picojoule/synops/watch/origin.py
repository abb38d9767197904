"""What a tensor holds, what one spike in it is worth, and what sums and assemblies of several hold."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from torch import Tensor

from picojoule.synops.magnitudes import Unit


@dataclass(frozen=True, eq=False)
class Origin:
    """What a tensor holds: spikes, dense values, only zeros, or weights and other constants.

    Args:
        kind: which of them.
        unit: value of one spike: a number, or a tensor that broadcasts to the tensor.
        signed: whether spikes may be negative.
        whole: for values of unknown origin, or where values had a say: a boolean scalar, whether they are all
            multiples of the unit, so spikes; dense values otherwise.
        parameters: ids of the parameters that a constant is made of, or what was drawn by chance around them; of
            dense values made of data, those of the matrices that data have changed.
        source: who made the values: a spiking layer, the caller, the model in a way nobody knows, or the model
            without data, of numbers alone or of chance, too.
        mixed: spikes of different units were added up, in the finest of them.
    """

    kind: Literal["spikes", "dense", "zeros", "constant"]
    unit: Unit = 1.0
    signed: bool = True
    whole: Tensor | None = None
    parameters: frozenset[int] = frozenset()
    source: Literal["numbers", "chance", "made", "given", "layer"] = "made"
    mixed: bool = False

    def scaled(self, factor: Unit) -> Origin:
        """The origin of this tensor times `factor`, a number or a tensor of one element."""
        is_none = not isinstance(factor, Tensor) and factor == 0
        if is_none and self.kind != "constant":  # weights are synapses whatever they are worth
            return ZEROS
        if self.kind != "spikes":
            return self
        if isinstance(factor, Tensor):
            return replace(self, unit=self.unit * factor.abs(), signed=True)
        return replace(self, unit=self.unit * abs(factor), signed=self.signed or factor < 0)

    def of_layer(self, unit: Unit) -> Origin:
        """The same, as a spiking layer made it, whose spikes are worth that."""
        return replace(self, unit=unit, source="layer")

    def without_graph(self) -> Origin:
        """The same for a later forward pass, which cannot go back into this one's graph."""
        return replace(self, unit=self.unit.detach()) if isinstance(self.unit, Tensor) else self

    def of_data(self) -> Origin:
        """The same, where data had a say in which of the values are where."""
        return replace(self, source="made", parameters=frozenset())

    def is_without_data(self) -> bool:
        """Whether no data have a part in it."""
        return self.kind == "constant" or self.source in WITHOUT_DATA

    def uniform(self) -> bool:
        """Whether one number is the value of every spike."""
        return not isinstance(self.unit, Tensor)

    def is_of_ones(self) -> bool:
        """Whether every spike is worth 1."""
        return not isinstance(self.unit, Tensor) and self.unit == 1

    @cached_property
    def key(self) -> Hashable:
        """The same for two origins that a function treats alike; None if a tensor tells what a spike is worth."""
        if isinstance(self.unit, Tensor):
            return None
        judged = self.whole is not None
        return self.kind, self.unit, self.signed, judged, self.parameters, self.source, self.mixed


WITHOUT_DATA = ("numbers", "chance")
_SOURCES = (*WITHOUT_DATA, "made", "given", "layer")
SPIKES = Origin("spikes", signed=False)
SIGNED_SPIKES = Origin("spikes")
DENSE = Origin("dense")
ZEROS = Origin("zeros")
NUMBERS = Origin("dense", source="numbers")
NOISE = Origin("dense", source="chance")
DENSE_INTEGERS = Origin("dense", source="given")  # of an input that is said to be dense
WHOLE_NUMBERS = Origin("spikes", source="numbers")  # which no data have a part in
DRAWN = Origin("spikes", source="chance")


def joined(origins: Iterable[Origin], product: bool = False) -> Origin:
    """The origin of a sum or an assembly: spikes of one unit stay spikes; with others they are dense."""
    present = [origin for origin in origins if origin.kind != "zeros"]
    if not present:
        return ZEROS
    first = present[0]
    kinds = {origin.kind for origin in present}
    if kinds == {"constant"}:
        return Origin("constant", parameters=frozenset().union(*(o.parameters for o in present)))
    if kinds != {"spikes"} or not (product or all(same_unit(first, o) for o in present)):
        return DENSE_INTEGERS if DENSE_INTEGERS in present else DENSE
    whole = [origin.whole for origin in present if origin.whole is not None]
    flag: Tensor | None = None
    for more in whole:
        flag = more if flag is None else flag & more
    source = max((origin.source for origin in present), key=_SOURCES.index)
    signed, mixed = (any(getattr(o, name) for o in present) for name in ("signed", "mixed"))
    none = frozenset[int]()
    parameters = none.union(*(o.parameters for o in present)) if source in WITHOUT_DATA else none
    return replace(
        first, signed=signed, whole=flag, source=source, mixed=mixed, parameters=parameters
    )


def of_nobody(given: list[Origin], origin: Origin) -> Origin:
    """An origin as that of something that is made of these, none of which is of data."""
    by_chance = any(each.source == "chance" for each in given)
    parameters = frozenset[int]().union(*(each.parameters for each in given))
    return replace(origin, source="chance" if by_chance else "numbers", parameters=parameters)


def sum_with_dense(given: list[Origin]) -> Origin:
    """The origin of a sum in which there are dense values, whatever it takes away."""
    alone = all(each.kind == "zeros" or each.is_without_data() for each in given)
    if alone:
        return of_nobody(given, NUMBERS)
    changed = [o.parameters for o in given if o.kind == "dense" and not o.is_without_data()]
    found, parameters = joined([DENSE, *given]), frozenset[int]().union(*changed)
    return replace(found, parameters=parameters) if parameters else found


def same_unit(a: Origin, b: Origin) -> bool:
    """Whether spikes of both are worth the same, as far as can be said without looking."""
    return a.unit is b.unit or (a.uniform() and b.uniform() and bool(a.unit == b.unit))
