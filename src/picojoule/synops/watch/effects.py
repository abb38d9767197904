"""What functions were seen to make of the origins that they were given, so that a loop need not find it out again.

A rule reads origins, shapes, types and options, and now and then the values of a tensor. An effect is
remembered under all of the former, and only if no value had a say.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from picojoule.synops.watch.function_call import Result
from picojoule.synops.watch.origin import Origin
from picojoule.synops.watch.origins import Origins

_MOST = 10_000
_OPTIONS = frozenset(
    [bool, int, float, str, type(None), type(...), torch.dtype, torch.device, torch.layout,
     torch.memory_format]
)  # fmt: skip
_TENSORS = frozenset([Tensor, nn.Parameter])


class Asked(NamedTuple):
    """A call, by all that decides on the origin of its result, and the origins of the tensors it was given."""

    key: Hashable
    given: list[Origin]


class Effect(NamedTuple):
    """What a call makes of origins.

    Args:
        origin: of its result; None if that is no tensor.
        judged_as: which of the tensors it was given says whether the result is spikes; None if that is sure.
        harmless: ids of the parameters that it uses without synapses.
    """

    origin: Origin | None
    judged_as: int | None
    harmless: frozenset[int]

    def result(self, given: list[Origin]) -> Origin | None:
        """The origin of the result, for a call that was given these."""
        if self.judged_as is None or self.origin is None:
            return self.origin
        return replace(self.origin, whole=given[self.judged_as].whole)


COUNTED = Effect(None, None, frozenset())  # it has synapses


class Effects:
    """Remembered over the passes of one Monitor, while the model's constants stay the same ones."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Effect] = {}
        self._constants: list[weakref.ref[Tensor]] = []
        self._parameters = 0
        self.thresholds = set[int]()  # among the constants, by id

    def begin(self, constants: Mapping[int, Tensor], parameters: int) -> None:
        """A pass begins, with these constants by id, of which the first so many are parameters."""
        same = (len(constants), parameters) == (len(self._constants), self._parameters) and all(
            held() is x for held, x in zip(self._constants, constants.values(), strict=True)
        )
        if not same:
            self._known.clear()
            self.thresholds.clear()
            self._constants = [weakref.ref(x) for x in constants.values()]
            self._parameters = parameters

    def get(self, key: Hashable) -> Effect | None:
        """The effect of such a call, if it was seen."""
        return self._known.get(key)

    def add(self, asked: Asked, made: Result | None, harmless: frozenset[int]) -> None:
        """Remember what a call has made, if no value had a say in it."""
        effect = _effect(asked.given, made, harmless)
        if effect is not None:
            self._put(asked, effect)

    def add_counted(self, asked: Asked) -> None:
        """Remember that a call has synapses."""
        self._put(asked, COUNTED)

    def _put(self, asked: Asked, effect: Effect) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[asked.key] = effect


def _effect(given: list[Origin], made: Result | None, harmless: frozenset[int]) -> Effect | None:
    if made is None:
        return Effect(None, None, harmless)
    if not isinstance(made, Origin) or isinstance(made.unit, Tensor):
        return None
    if made.whole is None:
        return Effect(made, None, harmless)
    judged = next((i for i, origin in enumerate(given) if origin.whole is made.whole), None)
    return None if judged is None else Effect(replace(made, whole=None), judged, harmless)


def asked(
    origins: Origins, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Asked | None:
    """The call as a key; None if values had to be looked at, or it holds something that is no tensor and no option."""
    key: list[Any] = [function]
    given: list[Origin] = []
    for x in args:
        if type(x) is Tensor and x.layout is torch.strided:  # most of them, without a call
            origin = origins.unjudged(x)
            if origin is None or origin.key is None:
                return None
            given.append(origin)
            key += (x.shape, x.dtype, x.requires_grad, origin.key)
        elif not _add(origins, x, key, given):
            return None
    for name, x in kwargs.items():
        key.append(name)
        if name == "out" or not _add(origins, x, key, given):
            return None
    return Asked(tuple(key), given)


def _add(origins: Origins, x: Any, key: list[Any], given: list[Origin]) -> bool:
    kind = type(x)
    if kind in _TENSORS:
        origin = origins.unjudged(x)
        if origin is None or origin.key is None or x.layout is not torch.strided:
            return False
        given.append(origin)
        key += (x.shape, x.dtype, x.requires_grad, origin.key)
        return True
    if kind in _OPTIONS:
        key += (kind, x)
        return True
    if kind is slice:
        parts: Any = x.start, x.stop, x.step
    elif kind in (tuple, list, torch.Size):
        parts = x
    else:
        return False
    key += (kind, len(parts))
    return all(_add(origins, part, key, given) for part in parts)
