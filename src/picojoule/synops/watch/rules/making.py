"""Functions that make tensors of numbers, of nothing, or of chance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import (
    DENSE,
    DRAWN,
    NOISE,
    SIGNED_SPIKES,
    SPIKES,
    WHOLE_NUMBERS,
    ZEROS,
    Origin,
    joined,
)
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import is_value, together, whole_units, with_sign
from picojoule.synops.watch.thresholds import see_threshold

_OF_NUMBERS = Origin("constant")


@rule("""zeros zeros_like new_zeros zero empty empty_like new_empty empty_strided new_empty_strided empty_permuted
    _efficientzerotensor""", anew=True)  # fmt: skip
def zeros(_: FunctionCall) -> Result:
    """Nothing yet."""
    return ZEROS


@rule("ones ones_like new_ones eye", anew=True)
def whole(_: FunctionCall) -> Result:
    """Whole numbers, whatever was given: a mask, or what may be added to spikes."""
    return WHOLE_NUMBERS


@rule("randint randint_like random geometric", anew=True)
def whole_at_random(_: FunctionCall) -> Result:
    """The same, by chance."""
    return DRAWN


@rule("one_hot histc", anew=True)
def whole_by_what_is_given(call: FunctionCall) -> Result:
    """Whole numbers that may tell of data: spikes, unless there are none."""
    return _unless_of_data(call, WHOLE_NUMBERS, SIGNED_SPIKES)


@rule("bernoulli", anew=True)
def drawn_by_probability(call: FunctionCall) -> Result:
    """0 or 1, with probabilities that may be data: spikes then, and else a mask, or weights."""
    return _unless_of_data(call, with_sign(DRAWN, False), SIGNED_SPIKES)


@rule("poisson binomial", anew=True)
def drawn_by_what_is_given(call: FunctionCall) -> Result:
    """Whole numbers, alike."""
    return _unless_of_data(call, DRAWN, SIGNED_SPIKES)


@rule("gumbel_softmax")
def drawn_by_a_softmax(call: FunctionCall) -> Result:
    """One of each axis if it is `hard`, with the gradient of the soft one."""
    hard = call.given("logits tau hard").get("hard", False)
    return SIGNED_SPIKES if hard else DENSE


@rule("rand rand_like randn randn_like randperm uniform exponential log_normal cauchy", anew=True)
def at_random(_: FunctionCall) -> Result:
    """Noise."""
    return NOISE


@rule("normal", anew=True)
def around(call: FunctionCall) -> Result:
    """Noise, around values that may be data."""
    return _unless_of_data(call, NOISE, DENSE)


@rule("""arange range linspace logspace tril_indices triu_indices hann_window hamming_window bartlett_window
    blackman_window kaiser_window fftfreq rfftfreq""")  # fmt: skip
def of_numbers(_: FunctionCall) -> Result:
    """A table of numbers: positions, windows."""
    return _OF_NUMBERS


@rule("tensor as_tensor asarray scalar_tensor")
def of_data(call: FunctionCall) -> Result:
    """A table of numbers, or a copy of a tensor."""
    return _of_data(call, call.values)


@rule("new_tensor", anew=True)
def of_data_like(call: FunctionCall) -> Result:
    """The same, of the type of another tensor."""
    return _of_data(call, call.values[1:])


@rule("full full_like new_full fill", anew=True)
def full(call: FunctionCall) -> Result:
    """One number everywhere: nothing, whole numbers as `ones` are, or a constant."""
    by_name = [call.kwargs[name] for name in ("fill_value", "value") if name in call.kwargs]
    value = by_name[0] if by_name else call.args[-1]
    if isinstance(value, Tensor):
        return call.origins.of(value)
    if value == 0:
        return ZEROS
    return WHOLE_NUMBERS if is_value(value) and whole_units(value, 1.0) else _OF_NUMBERS


@rule("""eq ne lt le gt ge not_equal less less_equal greater greater_equal
    __eq__ __ne__ __lt__ __le__ __gt__ __ge__""", anew=True)  # fmt: skip
def compared(call: FunctionCall) -> Result:
    """True or false; where weights are compared it is a mask of them, and without data it is one of numbers."""
    see_threshold(call)
    given = [call.origins.constant(x) for x in tensors(call.values)]
    constants = [origin for origin in given if origin is not None]
    if len(constants) == len(given) and any(origin.parameters for origin in constants):
        return joined(constants)
    return _unless_of_data(call, with_sign(WHOLE_NUMBERS, False), SPIKES)


def _unless_of_data(call: FunctionCall, alone: Origin, by_data: Origin) -> Origin:
    """What something is that is made of parameters, numbers and chance, and what it is if data have a part in it."""
    given = tensors(call.values)
    if not all(map(call.origins.is_without_data, given)):
        return by_data
    found = call.origins.without_data(given, alone)
    return found if alone.source == "numbers" else replace(found, source="chance")


def _of_data(call: FunctionCall, values: list[Any]) -> Origin:
    given = tensors(values)
    if given:
        return together(call.origins, given)
    value = values[0] if values else None
    return ZEROS if is_value(value) and value == 0 else _OF_NUMBERS
