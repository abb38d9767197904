"""What a run reports while it trains, and what it measured."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from picojoule.training.record.exit_measurement import ExitMeasurement
from picojoule.training.record.measure import Measurement


class Progress(Protocol):
    """Follows a run, and shows how far it is."""

    def start(self, what: str, total: int, done: int) -> None:
        """A part of the run begins: `total` steps, of which `done` are done already."""

    def advance(self, status: str) -> None:
        """One of these steps is done."""

    def note(self, sentence: str) -> None:
        """Tell the user something at once."""


class Quiet:
    """A :class:`Progress` that shows nothing."""

    def start(self, what: str, total: int, done: int) -> None:
        """Nothing."""

    def advance(self, status: str) -> None:
        """Nothing."""

    def note(self, sentence: str) -> None:
        """Nothing."""


_LATER = "begun_with"  # in a checkpoint beside the rest; older ones lack it


@dataclass
class History:
    """What was measured so far.

    Attributes:
        epochs: how many are done.
        trainable: the counted layers whose SynOps training can change, as the first batch shows.
        loss: of each training step, over all processes.
        task_loss: of each epoch, the mean over its steps, without the penalty of a budget.
        synops_per_timestep: of each training step, by counted layer.
        validation: after each epoch, `accuracy` and whether the budget was kept (`keeps_budget`).
        chosen_epoch: the best one under the budget, from 1 on; None without validation, or if no epoch kept what
            of it can be kept.

    Example:
        >>> history = History()
        >>> history.add_step(0.7, {"4": 5e4})
        >>> history.loss, history.synops_per_timestep
        ([0.7], {'4': [50000.0]})
    """

    epochs: int = 0
    trainable: list[str] = field(default_factory=list)
    # one number a step is no line to print
    loss: list[float] = field(default_factory=list, repr=False)
    task_loss: list[float] = field(default_factory=list, repr=False)
    synops_per_timestep: dict[str, list[float]] = field(default_factory=dict, repr=False)
    validation: list[dict[str, Any]] = field(default_factory=list, repr=False)
    chosen_epoch: int | None = None

    def add_step(self, loss: float, synops_per_timestep: dict[str, float]) -> None:
        """Take in a training step."""
        self.loss.append(loss)
        for name, count in synops_per_timestep.items():
            self.synops_per_timestep.setdefault(name, []).append(count)

    def add_validation(self, measured: Measurement) -> bool:
        """Take in the validation of the epoch just done; whether it is the best that keeps what can be kept."""
        best = self.chosen_epoch and self.validation[self.chosen_epoch - 1]["accuracy"]
        self.validation.append(
            {"accuracy": measured.accuracy, "keeps_budget": measured.keeps_budget}
        )
        better = measured.keeps_what_it_can and (best is None or measured.accuracy > best)
        if better:
            self.chosen_epoch = self.epochs
        return better


def check_is_of_a_run(path: Path, progress: dict[str, Any]) -> None:
    """Raise ValueError unless a checkpoint's progress is a History and what a run keeps beside it.

    Beside the History a run keeps the states of the budget and of the precision, and what its data are.
    """
    beside = ("budget", "precision", "sample")
    expected = {each.name for each in fields(History)} | {*beside}
    faults = [f"{name} is missing" for name in expected - progress.keys()]
    faults += [f"{name} is unknown" for name in progress.keys() - expected - {_LATER}]
    faults += [
        f"{name} is a {type(progress[name]).__name__}, expected names with values"
        for name in (*beside, _LATER)
        if name in progress and not isinstance(progress[name], dict)
    ]
    if faults:
        raise ValueError(
            f"{path} is a checkpoint, but not of a run of picojoule train, or damaged: "
            f"{'; '.join(sorted(faults)[:5])}. Its weights alone: start_from, or load_checkpoint."
        )


@dataclass(frozen=True)
class Fit:
    """A finished training run: the network before, after, and on the way.

    Attributes:
        untrained: on the test set, before.
        trained: on the test set, after: the chosen epoch's network, or the last one.
        history: on the way.
        unreachable: what training cannot change, a sentence for each constraint.
        infeasible: floors that a limit cannot afford, in the same way.
        not_reached: what training gave up, or could not combine, in the same way.
        faults: what makes the network useless, whatever it spends, in the same way.
        layer_types: class of each layer, by its name.
        exits: early exit of the trained network; None if it was not asked for.
    """

    untrained: Measurement
    trained: Measurement
    history: History
    unreachable: dict[str, str] = field(default_factory=dict)
    infeasible: dict[str, str] = field(default_factory=dict)
    not_reached: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    layer_types: dict[str, str] = field(default_factory=dict)
    exits: ExitMeasurement | None = None
