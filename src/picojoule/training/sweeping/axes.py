"""Settings of training as axes of a sweep, beside its budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from picojoule.training.config_error import ConfigError
from picojoule.training.files.yaml_values import plain_value
from picojoule.training.settings.bounds import LIMITS
from picojoule.training.settings.config import TrainConfig
from picojoule.training.settings.stated import check_names, takes_a_list, typed_setting
from picojoule.training.sweeping.sweep_run import Setting

_NO_AXIS: dict[str, str] = {
    **dict.fromkeys(LIMITS, "the budgets say it"),
    "per": "the budgets say it",
    "seed": "the seeds follow on one another",
    "devices": "a run of a sweep has one",
    "workers": "it changes no network",
    "check_finite": "it changes no network",
    "data": "accuracies on other data are not comparable",
    "task": "scores of other tasks are not comparable",
    "profile": "joules of other chips are not comparable",
    "within": "it is what all budgets are judged by",
    "unreachable": "it is what all budgets are judged by",
}


def combinations(axes: Mapping[str, Sequence[Any]]) -> tuple[tuple[Setting, ...], ...]:
    """All ways to take one value of each axis.

    Example:
        >>> combinations({"num_timesteps": (3, 5)})
        ((('num_timesteps', 3),), (('num_timesteps', 5),))
    """
    pairs = [[(name, value) for value in values] for name, values in axes.items()]
    return tuple(product(*pairs))


def checked_axes(
    axes: Mapping[str, Sequence[Any]], training: TrainConfig
) -> dict[str, tuple[Any, ...]]:
    """The axes, their values as a training run has them.

    Raises:
        ValueError: an axis is no setting of training or one that the sweep sets itself, has no values or one
            twice, or a value is out of its range or no single word or number.
    """
    check_names(axes)
    checked: dict[str, tuple[Any, ...]] = {}
    for name, values in axes.items():
        if name in _NO_AXIS:
            raise ConfigError(f"sweep: {name} is no axis: {_NO_AXIS[name]}.", name)
        if isinstance(values, str) or not values:
            raise ConfigError(f"sweep: the axis {name} is {values!r}, expected its values.", name)
        for value in values:
            _check_single(name, value)
        checked[name] = tuple(getattr(replace(training, **{name: v}), name) for v in values)
        if len(set(checked[name])) < len(checked[name]):
            raise ConfigError(f"sweep: a value of the axis {name} comes twice: {values}.", name)
    for settings in combinations(checked):
        replace(training, **dict(settings))
    return checked


def split_axes(
    stated: Mapping[str, Any], places: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Settings as a user states them: those with one value, and those with a list of values, which are axes.

    Args:
        stated: values by name; members of lists are words, as YAML and flags give them.
        places: where they were stated, by name, to begin a message with.

    Raises:
        ConfigError: a name is unknown, or a member of a list of the wrong type.

    Example:
        >>> split_axes({"epochs": 2, "learning_rate": ["1e-3", "2e-3"]})
        ({'epochs': 2}, {'learning_rate': [0.001, 0.002]})
    """
    single = {
        n: value for n, value in stated.items() if not isinstance(value, list) or takes_a_list(n)
    }
    axes = {}
    for name in stated.keys() - single.keys():
        try:
            check_names([name])
            axes[name] = [_member(name, value) for value in stated[name]]
        except ConfigError as error:
            raise ConfigError(f"{(places or {}).get(name, '')}{error}", name) from None
    return single, {name: axes[name] for name in stated if name in axes}


def parsed_axes(texts: Sequence[str]) -> dict[str, list[str]]:
    """Axes as flags state them, each as `name=value,value`.

    Raises:
        ValueError: one has another form, is of no axis, or comes twice.

    Example:
        >>> parsed_axes(["num_timesteps=3,5"])
        {'num_timesteps': ['3', '5']}
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        name, _, values = (part.strip() for part in text.partition("="))
        name, members = name.replace("-", "_"), [value.strip() for value in values.split(",")]
        if not name or not all(members):
            raise ValueError(
                f"--axis: {text!r} is no setting with values, such as --axis num-timesteps=3,5."
            )
        if name in _NO_AXIS:
            raise ValueError(f"--axis: {name} is no axis: {_NO_AXIS[name]}.")
        if name in axes:
            raise ValueError(f"--axis: {name} comes twice; give all its values at once.")
        axes[name] = members
    return axes


def _check_single(name: str, value: Any) -> None:
    if isinstance(value, Mapping | list | tuple | set):
        raise ConfigError(
            f"sweep: a value of the axis {name} is {value!r}, expected a single word or number.",
            name,
        )


def _member(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        _check_single(name, value)
        return typed_setting(name, value)
    try:
        return typed_setting(name, plain_value(value))
    except ConfigError as error:
        try:
            return typed_setting(name, value)  # a word that looks like a number
        except ConfigError:
            raise error from None
