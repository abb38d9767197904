"""What TensorBoard gets to see."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from picojoule.training import Progress, TrainConfig, train
from picojoule.training import run as run_module
from picojoule.training.loop.logs import TensorBoardLog, tensorboard_log
from tests.training.commands import NETWORKS

TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=2,
    batch_size=8,
    synops_per_timestep={"2": 20.0},
    min_rate=0.01,
    validation_share=0.25,
)


class Notebook:
    """Keeps what a `SummaryWriter` would write."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.scalars: dict[str, list[tuple[int, float]]] = {}

    def open(self, steps: int) -> Any:
        self.began.append(steps)
        return self

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int) -> None:
        self.scalars.setdefault(tag, []).append((global_step, float(scalar_value)))

    def add_histogram(self, tag: str, values: Any, global_step: int) -> None:
        pass


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    book = Notebook()
    monkeypatch.setattr(run_module, "tensorboard_log", lambda folder: TensorBoardLog(book.open))
    return book


def test_steps_epochs_multipliers_and_validation_are_logged(
    notebook: Notebook, silence: Progress, tmp_path: Path
) -> None:
    run = train(TINY, tmp_path, silence, compare=False, tensorboard=True)
    losses = run.budget.history.loss
    assert notebook.scalars["loss"] == [(n + 1, loss) for n, loss in enumerate(losses)]
    rates = [rate for _, rate in notebook.scalars["learning_rate"]]
    assert rates == sorted(rates, reverse=True)
    assert [step for step, _ in notebook.scalars["synops/2"]] == [3, 6]
    logged = [synops for _, synops in notebook.scalars["synops/2"]]
    history = run.budget.history
    assert logged == pytest.approx([history.synops_per_timestep["2"][n] for n in (2, 5)])
    assert len(notebook.scalars["pull/synops_per_timestep of 2"]) == 2
    accuracies = [each["accuracy"] for each in history.validation]
    assert [value for _, value in notebook.scalars["validation/accuracy"]] == accuracies


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0] * 6),
        ("hold", [1, 1, 1, 1, 1, 1 / 6 / 0.3]),  # six steps: 5/6 done is 1/6 to go of the last 0.3
        ("cosine", [(1 + math.cos(math.pi * n / 6)) / 2 for n in range(6)]),
    ],
)
def test_the_learning_rate_goes_as_its_schedule_says(
    schedule: str, expected: list[float], notebook: Notebook, silence: Progress, tmp_path: Path
) -> None:
    named = replace(TINY, schedule=schedule, optimizer="sgd")  # type: ignore[arg-type]
    train(named, tmp_path, silence, compare=False, tensorboard=True)
    rates = [rate for _, rate in notebook.scalars["learning_rate"]]
    assert rates == pytest.approx([0.1 * share for share in expected])


def test_a_run_that_goes_on_forgets_what_it_logged_after_its_checkpoint(
    notebook: Notebook, silence: Progress, tmp_path: Path
) -> None:
    train(TINY, tmp_path, silence, compare=False, tensorboard=True)
    train(TINY, tmp_path, silence, compare=False, tensorboard=True, resume=True)
    assert notebook.began == [0, 6]


def test_logging_changes_no_number(notebook: Notebook, silence: Progress, tmp_path: Path) -> None:
    logged = train(TINY, tmp_path / "a", silence, tensorboard=True)
    plain = train(replace(TINY), tmp_path / "b", silence)
    assert logged.to_dict() == plain.to_dict()


def test_it_is_written_where_tensorboard_reads(tmp_path: Path, silence: Progress) -> None:
    pytest.importorskip("tensorboard")
    log = tensorboard_log(tmp_path)
    log.begin(0)
    assert list(tmp_path.glob("events.out.tfevents.*"))
