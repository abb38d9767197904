"""One run: a task with one seed, and what came of it."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from benchmarks.budget_gym.data import Samples
from benchmarks.budget_gym.free import Free, free_network, new_network
from benchmarks.budget_gym.limits import Constraint
from benchmarks.budget_gym.measure import measure
from benchmarks.budget_gym.probe import Probe
from benchmarks.budget_gym.tasks import TASKS, Task
from benchmarks.budget_gym.training import LOOPS, respond, train
from benchmarks.budget_gym.verdict import floors, silenced, verdict
from picojoule import Budget, Monitor

Row = dict[str, Any]


@dataclass(frozen=True)
class Spec:
    """What tells a run from others.

    Args:
        task: name.
        seed: of the weights, the order of the samples and the noise.
        synapses: the Budget's, "keep" or "prune".
        loop: "backward" or "penalty".
    """

    task: str
    seed: int
    synapses: str = "keep"
    loop: str = "backward"


def run(spec: Spec) -> Row:
    """Train under the Budget's defaults, trim, and judge."""
    task = TASKS[spec.task]
    free, started = free_network(task.recipe, spec.seed), time.perf_counter()
    row = {**asdict(spec), "settings": task.settings()}
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = _train_and_trim(task, spec, free)
    except (RuntimeError, ValueError, ArithmeticError) as error:
        return {**row, "failure": f"{type(error).__name__}: {error}"}
    found["told"] = sorted({str(each.message) for each in told})
    found["seconds"] = round(time.perf_counter() - started, 1)
    return {**row, **found, "verdict": verdict(found)}


def _train_and_trim(task: Task, spec: Spec, free: Free) -> Row:
    recipe, data = task.recipe, task.recipe.data()
    constraints = task.limit.constraints(free.figures.synops, free.trained)
    model = new_network(recipe, spec.seed)
    if task.start == "free":
        model.load_state_dict(free.weights)
    with Monitor(model, weights="nonzero") as monitor:
        budget = Budget(
            monitor,
            steps=recipe.steps,
            synapses=spec.synapses,
            **task.limit.options(constraints),
        )
        loop = LOOPS[spec.loop](budget)
        probe = Probe(model, monitor, data.held_out, constraints, recipe.steps)
        train(model, recipe, spec.seed, loop, loss_scale=task.loss_scale, after=probe)
        before = measure(model, monitor, data.held_out)
        budget.trim(lambda: _calibrate(model, data.calibration))
        after = measure(model, monitor, data.held_out)
    declared = {**budget.infeasible, **budget.unreachable}
    return {
        "limits": {each.name: each.bound for each in constraints},
        "before": _ratios(constraints, before.synops),
        "after": _ratios(constraints, after.synops),
        "overshoot": probe.overshoot,
        "swing": probe.swing,
        "late": probe.late,
        "course": probe.ratios,
        "accuracy": {
            "free": free.figures.accuracy,
            "before": before.accuracy,
            "after": after.accuracy,
        },
        "answers": after.answers,
        "silenced": silenced(free.figures, after, declared),
        "floors": floors(task, after, declared | budget.not_reached),
        "rates": {name: rate.mean().item() for name, rate in after.rates.items()},
        "pull": loop.pull,
        "met": budget.met,
        "declared": declared,
    }


def _calibrate(model: nn.Module, samples: Samples) -> None:
    respond(model, samples.inputs.float())


def _ratios(constraints: tuple[Constraint, ...], synops: dict[str, float]) -> dict[str, float]:
    return {each.name: each.ratio(synops) for each in constraints}
