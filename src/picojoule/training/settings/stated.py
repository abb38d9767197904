"""What a user states in files and flags, as a TrainConfig.

An unknown name or a value of the wrong type is an error, which says where it was stated. What the values may be is
in `ranges.py`, how a flag is written in `picojoule.cli.flag_values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from picojoule.near_names import did_you_mean
from picojoule.training.config_error import ConfigError
from picojoule.training.settings.bounds import LIMITS
from picojoule.training.settings.config import TrainConfig, setting_types
from picojoule.training.settings.saved import RENAMED

_DEFAULT_LIMIT = {"synops_per_timestep": 2e3, "per": "trainable"}
_SHOWN = 200  # letters of a value in a message


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
        if not any(name in values for name in LIMITS):
            values = _DEFAULT_LIMIT | values
        return TrainConfig(**values)
    except ConfigError as error:
        place = (places or {}).get(error.setting, "")
        raise ConfigError(f"{place}{error}", error.setting) from None


def check_names(stated: Iterable[str]) -> None:
    """Raise ConfigError unless all names are those of settings."""
    known = [*setting_types()]
    for name in stated:
        if name not in known:
            raise ConfigError(f"there is no setting {name!r}{_what_instead(name, known)}", name)


def _what_instead(name: str, known: Sequence[str]) -> str:
    if name in RENAMED:
        now = RENAMED[name]
        before = f", and what was {now!r} is {RENAMED[now]!r}" if now in RENAMED else ""
        return f" any more: it is {now!r} now{before}."
    return "." + did_you_mean(name, known, otherwise=f" There are {', '.join(known)}.")


def typed_setting(name: str, value: Any) -> Any:
    """A value as the type that its setting has.

    Raises:
        ConfigError: it cannot be taken for one.

    Example:
        >>> typed_setting("learning_rate", 1), typed_setting("epochs", 2.0)
        (1.0, 2)
    """
    hint = setting_types()[name]
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
    return tuple in _kinds(setting_types().get(name))


def _brief(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _kinds(hint: Any) -> list[Any]:
    """The types that a hint allows, in order."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return [kind for part in get_args(hint) for kind in _kinds(part)]
    if origin is Literal:
        return [str]
    if hint == Mapping[str, float]:
        return [dict]
    if hint == Sequence[str]:
        return [tuple]
    return [list] if origin is not None else [hint]


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return _ANSWERS.get(value) if isinstance(value, str) else None


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
