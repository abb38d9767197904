"""A frontier as plain figures, and back: what a file holds is checked before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from picojoule.budget import ExitFigures
from picojoule.training.record.measure import ACCURACY
from picojoule.training.sweeping.cost import Cost, Unit
from picojoule.training.sweeping.figures import (
    amount,
    bound,
    count,
    listed,
    number,
    or_none,
    share,
    single,
    word,
)
from picojoule.training.sweeping.outcome import Outcome
from picojoule.training.sweeping.points import FrontierPoint, Spread, SweptModel

Figures = Mapping[str, Any]
_SPREADS = (
    "limit",
    "spent",
    "synops_per_timestep",
    "synops_per_sample",
    "error",
    "accuracy",
    "silent_share",
    "steps",
    "steps_in_all",
)


def figures_of(point: FrontierPoint, on_front: bool) -> dict[str, Any]:
    """A point as plain values by name."""
    spreads: dict[str, Spread | None] = {name: getattr(point, name) for name in _SPREADS}
    return {
        "budget": point.budget,
        "unit": point.unit,
        "settings": dict(point.settings),
        "method": point.method,
        **{name: spread and spread._asdict() for name, spread in spreads.items()},
        "met": point.met(),
        "on_front": on_front,
        "models": [_model_figures(model) for model in point.models],
    }


def _model_figures(model: SweptModel) -> dict[str, Any]:
    figures = asdict(model) | {"error": model.error, "met": model.met()}
    return figures | {"outcome": model.outcome.to_dict()}


def read_figures(figures: Figures) -> tuple[Cost, tuple[FrontierPoint, ...]]:
    """The cost and the points of a frontier from plain values.

    Raises:
        ValueError: something is missing, or is not what it has to be.
    """
    try:
        cost = _cost(figures["cost"])
        return cost, tuple(_point(each, cost) for each in listed(figures["points"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
        raise ValueError(f"no figures of a frontier, or damaged ({reason}).") from error


def _cost(figures: Figures) -> Cost:
    return Cost(figures["quantity"], figures["layers"], or_none(word, figures["profile"]))


def _point(figures: Figures, cost: Cost) -> FrontierPoint:
    models = tuple(_model(each, cost) for each in listed(figures["models"]))
    if not models:
        raise ValueError("a point has no models")
    if figures["unit"] not in get_args(Unit):
        raise ValueError(f"a unit is {figures['unit']!r}")
    return FrontierPoint(
        budget=or_none(bound, figures["budget"]),
        models=models,
        unit=figures["unit"],
        settings=tuple((name, single(value)) for name, value in figures["settings"].items()),
        method=word(figures["method"]),
    )


def _model(figures: Figures, cost: Cost) -> SweptModel:
    outcome = outcome_in(figures["outcome"])
    return SweptModel(
        seed=count(figures["seed"]),
        limit=or_none(bound, figures["limit"]),
        spent=cost.of(outcome),
        outcome=outcome,
        folder=word(figures["folder"]),
        steps_in_all=or_none(count, figures["steps_in_all"]),
        within=or_none(share, figures.get("within")),
    )


def outcome_in(figures: Figures) -> Outcome:
    """The figures of one network.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: these are none.
    """
    score_name = word(figures.get("score_name", ACCURACY))
    outcome = Outcome(
        accuracy=(share if score_name == ACCURACY else number)(figures["accuracy"]),
        synops_per_timestep={
            word(name): amount(value) for name, value in figures["synops_per_timestep"].items()
        },
        trainable=tuple(word(name) for name in listed(figures["trainable"])),
        silent_share=share(figures["silent_share"]),
        num_timesteps=bound(figures["num_timesteps"]),
        energy_j=or_none(amount, figures.get("energy_j")),
        fixed_energy_j=or_none(amount, figures.get("fixed_energy_j")),
        score_name=score_name,
        faults=_sentences(figures.get("faults", [])),
        steps=or_none(count, figures.get("steps")),
        broken=_sentences(figures.get("broken", [])),
        after_exit=or_none(_exit_figures, figures.get("after_exit")),
    )
    strangers = set(outcome.trainable) - outcome.synops_per_timestep.keys()
    if strangers:
        raise ValueError(f"the layer {min(strangers)!r} is trainable and has no SynOps")
    return outcome


def _exit_figures(figures: Figures) -> ExitFigures:
    return ExitFigures(
        accuracy=share(figures["accuracy"]),
        exit_step=bound(figures["exit_step"]),
        synops_per_sample=amount(figures["synops_per_sample"]),
    )


def _sentences(value: Any) -> tuple[str, ...]:
    return tuple(word(sentence) for sentence in listed(value))
