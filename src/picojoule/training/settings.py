"""Settings from YAML files and flags: names and types are those of TrainConfig."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from picojoule.training.config import TrainConfig
from picojoule.training.config_error import ConfigError

_DEFAULT_LIMIT = {"synops_per_timestep": 2e3, "per": "trainable"}
_SHOWN = 200  # letters of a value in a message
_LIMITS = ("synops_per_timestep", "synops_per_sample", "energy_j")


def resolved(stated: Mapping[str, Any], places: Mapping[str, str] | None = None) -> TrainConfig:
    """A configuration from what a user states.

    Where no limit is stated, not even as nothing (`null`), each layer that training can change may spend 2,000 SynOps
    a time step.

    Args:
        stated: values by the names of :class:`TrainConfig`.
        places: where they were stated, by name, to begin a message with.

    Raises:
        ConfigError: a name is unknown, or a value of the wrong type or out of its range.

    Example:
        >>> config = resolved({"epochs": 2})
        >>> config.epochs, config.synops_per_timestep, config.per
        (2, 2000.0, 'trainable')
        >>> resolved({"energy_j": 2e-6, "profile": "loihi"}).synops_per_timestep is None
        True
        >>> resolved({"epoch": 2})
        Traceback (most recent call last):
        picojoule.training.config_error.ConfigError: there is no setting 'epoch'. Did you mean 'epochs'?
    """
    try:
        check_names(stated)
        values = {name: typed_setting(name, value) for name, value in stated.items()}
        if not any(name in values for name in _LIMITS):
            values = _DEFAULT_LIMIT | values
        return TrainConfig(**values)
    except ConfigError as error:
        place = (places or {}).get(error.setting, "")
        raise ConfigError(f"{place}{error}", error.setting) from None


def check_names(stated: Iterable[str]) -> None:
    """Raise ConfigError unless all names are those of settings."""
    known = [field.name for field in fields(TrainConfig)]
    for name in stated:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(known)}."
            raise ConfigError(f"there is no setting {name!r}.{hint}", name)


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


def parsed_groups(texts: Sequence[str]) -> dict[str, list[str]]:
    """Groups of layers as flags state them, each as `name=layer,layer`.

    Raises:
        ValueError: one has another form, or a name or a layer comes twice.

    Example:
        >>> parsed_groups(["tail=4,7", "head=1.10"])
        {'tail': ['4', '7'], 'head': ['1.10']}
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        name, _, listed = (part.strip() for part in text.partition("="))
        layers = [layer.strip() for layer in listed.split(",")]
        if not name or not all(layers):
            raise ValueError(f"--group: {text!r} is no name with layers, such as tail=4,7.")
        if name in groups or len(set(layers)) < len(layers):
            raise ValueError(f"--group: {text!r} names a group or a layer for the second time.")
        groups[name] = layers
    return groups


def typed_setting(name: str, value: Any) -> Any:
    """A value as the type that its setting has.

    Raises:
        ConfigError: it cannot be taken for one.

    Example:
        >>> typed_setting("learning_rate", 1), typed_setting("epochs", 2.0)
        (1.0, 2)
    """
    hint = _hints()[name]
    if value is None and type(None) in _kinds(hint):
        return None
    for kind in _kinds(hint):
        converted = _CONVERSIONS[kind](value)
        if converted is not None:
            return converted
    expected = " or ".join(_WORDS[kind] for kind in _kinds(hint))
    raise ConfigError(f"training: {name} is {_brief(value)}, expected {expected}.", name)


def takes_a_list(name: str) -> bool:
    """Whether one value of a setting is a list.

    Example:
        >>> takes_a_list("unreachable"), takes_a_list("epochs")
        (True, False)
    """
    return tuple in _kinds(_hints().get(name))


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(TrainConfig)


def _brief(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _kinds(hint: Any) -> list[Any]:
    """The types that a hint allows, in order."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return [kind for part in get_args(hint) for kind in _kinds(part)]
    if origin is Literal:
        return [str]
    if hint == Mapping[str, float]:
        return [dict]
    if hint == Sequence[str]:
        return [tuple]
    return [list] if origin is not None else [hint]


def _truth(value: Any) -> bool | None:
    return (
        value
        if isinstance(value, bool)
        else _ANSWERS.get(value)
        if isinstance(value, str)
        else None
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if isinstance(value, int) or value.is_integer() else None


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


def _words(value: Any) -> list[str] | None:
    return [str(word) for word in value] if isinstance(value, list | tuple) else None


_ANSWERS = {"yes": True, "on": True, "no": False, "off": False}  # words in YAML 1.2
_CONVERSIONS: dict[Any, Callable[[Any], Any]] = {
    bool: _truth,
    int: _whole,
    float: _number,
    str: lambda value: value if isinstance(value, str) else None,
    dict: _bounds,
    list: _groups,
    tuple: _words,
    type(None): lambda value: None,  # noqa: ARG005
}
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    dict: "numbers by layer",
    list: "lists of layers by group",
    tuple: "a list of names",
    type(None): "nothing",
}
