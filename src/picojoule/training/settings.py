"""Settings from YAML files and flags: names and types are those of TrainConfig."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from picojoule.training.config import TrainConfig

_DEFAULT_LIMIT = {"synops_per_timestep": 6e4}
_DEFAULT_FLOOR = {"min_rate": 0.01}
_LIMITS = ("synops_per_timestep", "synops_per_sample", "energy_j")


def resolved(stated: Mapping[str, Any], where: str = "") -> TrainConfig:
    """A configuration from what a user states.

    Where no limit is stated, not even as nothing (`null`), a layer may spend 60,000 SynOps a time step; where
    no floor is, neurons shall fire 0.01 times a time step.

    Args:
        stated: values by the names of :class:`TrainConfig`.
        where: they were stated; begins a message about an unknown name.

    Raises:
        ValueError: a name is unknown, or a value out of its range.
        TypeError: a value has the wrong type.

    Example:
        >>> config = resolved({"epochs": 2})
        >>> config.epochs, config.synops_per_timestep, config.min_rate
        (2, 60000.0, 0.01)
        >>> resolved({"energy_j": 2e-6, "profile": "loihi"}).synops_per_timestep is None
        True
        >>> resolved({"epoch": 2})
        Traceback (most recent call last):
        ValueError: there is no setting 'epoch'. Did you mean 'epochs'?
    """
    hints = get_type_hints(TrainConfig)
    _check_names(stated, [field.name for field in fields(TrainConfig)], where)
    values = {name: _typed(name, value, hints[name]) for name, value in stated.items()}
    if not any(name in values for name in _LIMITS):
        values = _DEFAULT_LIMIT | values
    return TrainConfig(**(_DEFAULT_FLOOR | values))


def _check_names(stated: Mapping[Any, Any], known: list[str], where: str) -> None:
    for name in stated:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(known)}."
            raise ValueError(f"{where}there is no setting {name!r}.{hint}")


def parsed_bound(text: str) -> float | dict[str, float]:
    """A limit or floor as a flag states it: one number, or `name=number,name=number`.

    Raises:
        ValueError: it is neither, or names a layer twice.

    Example:
        >>> parsed_bound("6e4"), parsed_bound("4=6e4,7=2e4")
        (60000.0, {'4': 60000.0, '7': 20000.0})
    """
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.rsplit("=", 1) for part in text.split(",")]
        bounds = {name.strip(): float(number) for name, number in pairs}
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a number nor layers with numbers, such as 4=6e4,7=2e4."
        ) from None
    if len(bounds) < len(pairs):
        raise ValueError(f"{text!r} names a layer twice.")
    return bounds


def _typed(name: str, value: Any, hint: Any) -> Any:
    if value is None and type(None) in _kinds(hint):
        return None
    for kind in _kinds(hint):
        converted = _CONVERSIONS[kind](value)
        if converted is not None:
            return converted
    expected = " or ".join(_WORDS[kind] for kind in _kinds(hint))
    raise TypeError(f"training: {name} is {value!r}, expected {expected}.")


def _kinds(hint: Any) -> list[Any]:
    """The types that a hint allows, in order."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return [kind for part in get_args(hint) for kind in _kinds(part)]
    if origin is Literal:
        return [str]
    if hint == Mapping[str, float]:
        return [dict]
    return [list] if origin is not None else [hint]


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if float(value).is_integer() else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bounds(value: Any) -> dict[str, float] | None:
    if not isinstance(value, Mapping):
        return None
    numbers = {str(name): _number(number) for name, number in value.items()}
    return None if None in numbers.values() else numbers  # type: ignore[return-value]


def _groups(value: Any) -> dict[str, list[str]] | None:
    if not isinstance(value, Mapping) or not all(
        isinstance(x, list | tuple) for x in value.values()
    ):
        return None
    return {str(name): [str(layer) for layer in layers] for name, layers in value.items()}


_CONVERSIONS: dict[Any, Callable[[Any], Any]] = {
    bool: lambda value: value if isinstance(value, bool) else None,
    int: _whole,
    float: _number,
    str: lambda value: value if isinstance(value, str) else None,
    dict: _bounds,
    list: _groups,
    type(None): lambda value: None,  # noqa: ARG005
}
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    dict: "numbers by layer",
    list: "lists of layers by group",
    type(None): "nothing",
}
