"""Where the tensors of a forward pass come from."""

# More than 250 lines: one record of tensors, and each question that is asked of it.

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from picojoule.synops.magnitudes import Magnitudes, in_numbers
from picojoule.synops.watch.offsets import Offsets, same_values
from picojoule.synops.watch.origin import (
    DENSE,
    DENSE_INTEGERS,
    NUMBERS,
    SIGNED_SPIKES,
    SPIKES,
    WITHOUT_DATA,
    Origin,
    of_nobody,
)
from picojoule.synops.watch.tensor_map import TensorMap

_OF_NOBODY = (*WITHOUT_DATA, "made")
_GIVEN = {origin: replace(origin, source="given") for origin in (SPIKES, SIGNED_SPIKES)}


@dataclass(slots=True)
class _Record:
    version: int | None  # None of a tensor of inference, which has none
    origin: Origin
    sums: dict[tuple[int, ...], Tensor] | None = None
    judged: bool = False  # by the values that the tensor had


class Origins:
    """The origins of the tensors of a forward pass; holds no tensor alive.

    Args:
        constants: the model's parameters and buffers, by id; held, so that each id stays its own.
        inputs: origin of a value that was handed in and is not known; None to decide by the values.
        before: those of the passes before, where a pass goes on with what they left.
        parameters: those of the constants that are parameters, by id.
    """

    def __init__(
        self,
        constants: dict[int, Tensor],
        inputs: Origin | None = None,
        before: Origins | None = None,
        parameters: Container[int] = (),
    ) -> None:
        self._records = TensorMap[_Record]()
        self._constants, self._parameters = constants, parameters
        if inputs is not None and inputs.kind == "spikes":
            inputs = replace(inputs, source="given")
        self._inputs = inputs
        self._of_constants: dict[int, Origin] = {}
        self._units: dict[Any, Tensor] = {}
        self.offsets = Offsets[Origin]()
        # numbers that were written over dense values, and the origin that is noted for what is left
        self.overwritten = TensorMap[tuple[frozenset[float], Origin]]()
        self._aliases = TensorMap[Tensor]()  # of buffers, by another name of their values
        self._replaced: dict[int, int] = {}  # ids of parameters in whose place others stand
        self._given: set[int] = set()
        # ids of parameters and buffers that potentials are held against
        self.thresholds: set[int] = set()
        self.unexplained: list[Tensor] | None = None  # flags: were there spikes that nobody knows
        if before is not None:
            for x, record in before._records.items():
                origin = record.origin.without_graph()
                self._records[x] = _Record(record.version, origin, judged=record.judged)

    def give(self, tensors: list[Tensor]) -> None:
        """Note what the model is called with; what was judged by its values is judged anew."""
        self._given = {id(x) for x in tensors}
        for x in tensors:
            record = self._records.get(x)
            if record is not None and record.judged:
                del self._records[x]

    def is_given(self, x: Tensor) -> bool:
        """Whether the model was called with it, or with what it is a view of."""
        return id(x) in self._given or (x._base is not None and id(x._base) in self._given)

    def put(self, x: Tensor, origin: Origin, at: int | None = None) -> None:
        """Note a tensor's origin. Integers are whole, whatever they were made of, but for dense ones that the caller gave.

        `at`: how often the tensor will have been changed in place, where PyTorch has yet to enter it.
        """
        if x.is_floating_point() or x.is_quantized:
            origin = DENSE if origin is DENSE_INTEGERS else origin
        elif origin.kind != "constant":
            if x.is_complex():
                return
            if not origin.is_without_data() and origin is not DENSE_INTEGERS:
                origin = _whole(x)
        self._records[x] = _Record(version(x) if at is None else at, origin)

    def known(self, x: Tensor) -> Origin | None:
        """The origin that was noted, unless the tensor was changed in place since."""
        record = self._records.get(x)
        if record is None:
            return None
        at = record.version
        return record.origin if at is None or at == x._version else None

    def renew(self, x: Tensor) -> None:
        """A function has just changed `x` in place: the origin that `x` had before is that of the function's argument."""
        record = self._records.get(x)
        now = version(x)
        if record is not None and now is not None and record.version == now - 1:
            self.put(x, record.origin)

    def alias(self, x: Tensor, owner: Tensor) -> None:
        """Note that `x` is another name for the values of a buffer: what is written into it is in the buffer."""
        self._aliases[x] = owner

    def owners(self, x: Tensor) -> list[Tensor]:
        """The tensors that hold the values of `x`, too: what it is a view of, a buffer that it is another name of."""
        held = [x] if x._base is None else [x, x._base]
        aliased = [self._aliases.get(each) for each in held]
        return [*held[1:], *(owner for owner in aliased if owner is not None)]

    def before_a_change(self, x: Tensor, of: Tensor) -> Origin | None:
        """What `x` held before its part or alias `of` was changed in place; None if that is not known, or nothing changed."""
        record, now = self._records.get(x), version(x)
        if record is not None and record.version is not None and now is not None:
            quiet = of._base is not x  # an alias may have another version than what it is of
            return record.origin if record.version == now - 1 or quiet else None
        return self.unjudged(x) if self.is_constant(x) and not self.is_parameter(x) else None

    def stand_for(self, new: Tensor, parameter: int) -> None:
        """Treat a tensor as the parameter, given by its id, that it stands in for while the model runs."""
        if id(new) not in self._constants and self.known(new) is None:
            self._constants[id(new)] = new
            self._replaced[id(new)] = parameter

    def is_constant(self, x: Tensor) -> bool:
        """Whether it is a parameter or buffer of the model, or a view of one."""
        return id(x) in self._constants or (x._base is not None and id(x._base) in self._constants)

    def constant(self, x: Tensor) -> Origin | None:
        """The origin of a tensor that is a constant or made of constants; else None."""
        origin = self.of(x) if self.is_constant(x) else self.known(x)
        return origin if origin is not None and origin.kind == "constant" else None

    def weights_in(self, x: Tensor) -> frozenset[int]:
        """Ids of the parameters and buffers that a tensor is made of, alone or with chance; none if data have a part in it."""
        origin = self.of(x) if self.is_constant(x) else self.known(x)
        found = origin is not None and origin.is_without_data()
        return origin.parameters if origin is not None and found else frozenset()

    def changed_weights(self, x: Tensor) -> frozenset[int]:
        """Ids of the matrices of weights that data were multiplied with to make a tensor."""
        origin = self.known(x)
        found = origin is not None and origin.kind == "dense" and not origin.is_without_data()
        return origin.parameters if origin is not None and found else frozenset()

    def is_parameter(self, x: Tensor) -> bool:
        """Whether a parameter is in it, not only buffers, and no data."""
        return any(i in self._parameters for i in self.weights_in(x))

    def scaled(self, origin: Origin, factor: Tensor) -> Origin:
        """The origin of a tensor times one value; by the same parameter, spikes get the same unit."""
        held = self._held(factor)
        if held is None or origin.kind != "spikes" or not origin.uniform():
            return origin.scaled(factor.reshape(()))
        key = held, origin.unit
        if key not in self._units:
            self._units[key] = factor.reshape(()).abs() * origin.unit
        return replace(origin, unit=self._units[key], signed=True)

    def _held(self, factor: Tensor) -> Any:
        """What tells the value of a parameter or buffer, under whatever name it is used, from others."""
        origin = self.constant(factor)
        for i in origin.parameters if origin is not None else ():
            own = self._constants[i]
            if own.numel() == 1 and own.data_ptr() == factor.data_ptr():
                return i, version(own), factor.requires_grad
        return None

    def is_of_numbers(self, x: Tensor) -> bool:
        """Whether the model made it of numbers or of chance alone, and of no weights: a table, a mask, noise."""
        origin = self.unjudged(x)
        if origin is None:
            return False
        return origin.kind == "zeros" or (origin.is_without_data() and not origin.parameters)

    def is_without_data(self, x: Tensor) -> bool:
        """Whether it is made of parameters, buffers, numbers and chance alone."""
        origin = self.unjudged(x)
        return origin is not None and (origin.kind == "zeros" or origin.is_without_data())

    def is_fixed(self, x: Tensor) -> bool:
        """Whether what has no data in it is numbers without chance, or matrices of weights with it."""
        origin = self.of(x)
        held = [self._constants[i] for i in origin.parameters if i in self._constants]
        noisy = origin.kind == "dense" and any(each.ndim > 1 for each in held)
        return noisy or origin.source == "numbers"

    def product_of_weights(self, given: Iterable[Tensor]) -> Origin:
        """The origin of what is computed from these, none of which is data: weights, with chance in them if it was there."""
        found = of_nobody([self.of(x) for x in given], NUMBERS)
        by_chance = found.source == "chance"
        return found if by_chance else Origin("constant", parameters=found.parameters)

    def without_data(self, given: Iterable[Tensor], origin: Origin) -> Origin:
        """An origin as that of something that is made of these, none of which is data."""
        found = [self.unjudged(x) for x in given]
        return of_nobody([each for each in found if each is not None], origin)

    def is_held(self, x: Tensor) -> bool:
        """Whether a parameter or a buffer is in it, not only numbers; masks of booleans are neither."""
        return bool(self.weights_in(x)) and x.dtype != torch.bool

    def of(self, x: Tensor) -> Origin:
        """The origin of a tensor; one of unknown origin is judged by its values, on its device."""
        origin = self.unjudged(x)
        if origin is None and self._is_alias_of_given(x):
            origin = self.of(x._base)  # type: ignore[arg-type]
            self.put(x, origin)
        elif origin is None:
            source: Literal["given", "made"] = "given" if self.is_given(x) else "made"
            origin = replace(by_values(x), source=source) if self._inputs is None else self._inputs
            self.put(x, origin)
            self._records[x].judged = True
        return origin

    def unjudged(self, x: Tensor) -> Origin | None:
        """The origin of a tensor, as far as nobody has to look at its values."""
        record = self._records.get(x)
        if record is not None and (record.version is None or record.version == x._version):
            return record.origin
        if self.is_constant(x) and not self._was_written(x):
            return self._of_constant(id(x if id(x) in self._constants else x._base))
        if x.is_floating_point() or x.is_quantized:
            return None if x._base is None else self._of_alias(x, x._base)
        if x.is_complex():
            return DENSE
        if not self.is_given(x):
            return _whole(x)
        return DENSE_INTEGERS if self._inputs is DENSE else _GIVEN[_whole(x)]

    def _of_alias(self, x: Tensor, base: Tensor) -> Origin | None:
        """The origin of a tensor that no function gave, under the name by which it was noted; None if it was not.

        An `autograd.Function` that gives back what it was given, as those of full backward hooks do, gives an alias.
        """
        at = version(x)
        for other, record in self._records.items():
            same = (other is base or other._base is base) and record.version in (None, at)
            if same and same_values(other, x, versions=False):
                self.put(x, record.origin)
                return record.origin
        return None

    def _is_alias_of_given(self, x: Tensor) -> bool:
        base = x._base
        return base is not None and id(base) in self._given and same_values(base, x, versions=False)

    def _was_written(self, x: Tensor) -> bool:
        """Whether the model has written into a buffer what is no constant, and changed it since."""
        owner = x if id(x) in self._constants else x._base
        record = None if owner is None else self._records.get(owner)
        written = record is not None and record.origin.kind != "constant"
        return written and id(owner) not in self._parameters

    def _of_constant(self, owner: int) -> Origin:
        found = self._of_constants.get(owner)
        if found is None:
            found = Origin("constant", parameters=frozenset([self._replaced.get(owner, owner)]))
            self._of_constants[owner] = found
        return found

    def put_sums(self, x: Tensor, leading: int, sums: Tensor) -> None:
        """Note what the spikes of a tensor, whose origin is noted, add up to over its leading axes."""
        self._sums(self._records[x])[tuple(range(leading))] = sums

    def summed_axes(self, x: Tensor) -> int:
        """Over how many leading axes the spikes of a tensor are summed first: over those that somebody has summed."""
        record = self._records.get(x)
        known = None if record is None else record.sums
        return 2 if known and (0, 1) in known else min(x.ndim, 1)

    def magnitudes(self, x: Tensor) -> Magnitudes:
        """The spikes of a tensor, whose sums are made once."""
        origin = self.of(x)
        if self.unexplained is not None and origin.source in _OF_NOBODY and x.is_floating_point():
            spikes = (stored_values(x) != 0).any()
            self.unexplained.append(spikes if origin.whole is None else spikes & origin.whole)
        record = self._records.get(x)
        sums = {} if record is None else self._sums(record)
        if sums and x.requires_grad and torch.is_grad_enabled():  # some may have no graph
            for axes in [axes for axes, total in sums.items() if not total.requires_grad]:
                del sums[axes]
        return Magnitudes(x, origin.unit, origin.signed, sums, origin.whole)

    @staticmethod
    def _sums(record: _Record) -> dict[tuple[int, ...], Tensor]:
        if record.sums is None:
            record.sums = {}
        return record.sums


def by_values(x: Tensor) -> Origin:
    """Spikes if all values are whole numbers, which is found on the device."""
    values = stored_values(x)
    if values.numel() == 0:
        return Origin("spikes")
    least, most = values.frac().aminmax()  # NaN and infinity are not whole
    return Origin("spikes", whole=(least == 0) & (most == 0))


def stored_values(x: Tensor) -> Tensor:
    """The values of a tensor, without those that are absent in a sparse one, which are zeros."""
    values = in_numbers(x.detach())
    return values.values() if values.is_sparse else values


def version(x: Tensor) -> int | None:
    """How often it was changed in place; None of a tensor of inference mode, of which PyTorch does not tell."""
    try:
        return None if x.is_inference() else x._version
    except RuntimeError:  # of inference mode, with the values of another
        return None


def _whole(x: Tensor) -> Origin:
    return SPIKES if x.dtype in (torch.bool, torch.uint8) else SIGNED_SPIKES
