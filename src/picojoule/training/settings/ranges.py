"""What a setting may be, by itself and beside the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from picojoule.energy import energy_j
from picojoule.training.config_error import ConfigError
from picojoule.training.settings.bounds import BOUNDS

_AT_LEAST_ONE = ("epochs", "batch_size", "num_timesteps", "accumulate", "devices")
_AT_LEAST_ZERO = ("seed", "workers")
_POSITIVE = ("learning_rate", "temperature", "exit_synops_per_sample", *BOUNDS)
_SHARES = ("validation_share", "margin")


def check_ranges(settings: Mapping[str, Any], choices: Mapping[str, Sequence[str | None]]) -> None:
    """Look at all settings of a run.

    Args:
        settings: by the names of :class:`picojoule.training.TrainConfig`.
        choices: what a setting may be, of those that are one of some words.

    Raises:
        ConfigError: one is out of its range, or contradicts another; the message names it and what it may be.
    """
    checked = _Checked(settings)
    for name, words in choices.items():
        checked.expect(name, settings[name] in words, f"one of {', '.join(filter(None, words))}")
    for name in _AT_LEAST_ONE:
        checked.expect_number(name, _is_whole(settings[name], 1), "a whole number >= 1")
    for name in _AT_LEAST_ZERO:
        checked.expect_number(name, _is_whole(settings[name], 0), "a whole number >= 0")
    for name in _POSITIVE:
        checked.expect_number(
            name, all(map(_is_positive, _numbers(settings[name]))), "a number > 0"
        )
    rate = settings["pixel_rate"]
    checked.expect_number("pixel_rate", _is_number(rate) and 0 < rate <= 1, "a number in (0, 1]")
    for name in _SHARES:
        share = settings[name]
        checked.expect_number(name, _is_number(share) and 0 <= share < 1, "a share in [0, 1)")
    margin, within = settings["margin"], settings["within"]
    good = within is None or (_is_number(within) and margin < within < 1)
    checked.expect_number("within", good, f"a share in (margin, 1), with a margin of {margin}")
    if settings["task"] is not None:
        _check_task(checked, settings)
    if settings["time_steps_per_stage"] == "random":
        usual = "as stages with time steps of their own have no answer after each of the usual ones"
        checked.expect("loss_each_step", not settings["loss_each_step"], f"false, {usual}")
    _check_profile(settings)


class _Checked:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings

    def expect(
        self, name: str, good: bool, expected: str, shown: Callable[[Any], str] = str
    ) -> None:
        if not good:
            came = shown(self._settings[name])
            raise ConfigError(f"training: {name} is {came}, expected {expected}.", name)

    def expect_number(self, name: str, good: bool, expected: str) -> None:
        self.expect(name, good, expected, repr)  # "3" is none


def _check_task(checked: _Checked, settings: Mapping[str, Any]) -> None:
    raw = "as a task gets the model's output as it is"
    checked.expect("readout", settings["readout"] != "potential", f"count, {raw}")
    checked.expect("teacher", settings["teacher"] is None, f"none, {raw}")
    checked.expect("loss_each_step", not settings["loss_each_step"], f"false, {raw}")
    exits = settings["exit_synops_per_sample"]
    sure = "as a task has no classes to be sure of"
    checked.expect("exit_synops_per_sample", exits is None, f"none, {sure}")


def _check_profile(settings: Mapping[str, Any]) -> None:
    profile = settings["profile"]
    if profile is not None:
        try:
            energy_j(profile, synops=0)  # asked for nothing, it says whether it has joules
        except ValueError as error:
            raise ConfigError(str(error), "profile") from error
    if settings["energy_j"] is not None and profile is None:
        raise ConfigError(
            "training: energy_j is limited, and nothing says whose joules these are. Give a profile, such as "
            "profile='loihi'.",
            "profile",
        )


def _numbers(bound: Any) -> Sequence[Any]:
    return [*bound.values()] if isinstance(bound, Mapping) else [bound]


def _is_positive(number: Any) -> bool:
    return number is None or (_is_number(number) and 0 < number < float("inf"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
