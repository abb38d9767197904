"""A teacher's answers as a part of the loss."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from picojoule.training import Progress, TrainConfig, train
from picojoule.training.loop.processes import launched
from picojoule.training.tasks.distillation import Teacher
from tests.training.commands import NETWORKS, checkpoint
from tests.training.test_train import StopAfter

TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=2,
    batch_size=8,
    synops_per_timestep={"2": 20.0},
)


@pytest.fixture
def teacher(silence: Progress, tmp_path: Path) -> str:
    free = replace(TINY, seed=7).without_budget()
    train(free, tmp_path / "free", silence)
    return str(tmp_path / "free/checkpoint.safetensors")


def of(answers: list[list[float]], temperature: float) -> Teacher:
    """A teacher that gives these answers."""
    model = nn.Linear(1, len(answers[0]), bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor(answers[:1]).T)
    return Teacher(model, launched(TINY), "count", temperature)


def softmax(values: list[float]) -> list[float]:
    total = sum(map(math.exp, values))
    return [math.exp(value) / total for value in values]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_loss_is_the_divergence_of_softened_answers(temperature: float) -> None:
    wanted, given = [3.0, 0.0, 1.0], [[1.0, 1.0, 0.0], [0.0, 2.0, 0.0]]
    loss = of([wanted], temperature).loss(torch.ones(2, 1, 1), torch.tensor(given))
    p = softmax([x / temperature for x in wanted])
    divergences = []
    for answer in given:
        q = softmax([x / temperature for x in answer])
        divergences.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    assert loss.item() == pytest.approx(temperature**2 * sum(divergences) / 2, rel=1e-5)


def test_a_student_that_answers_alike_has_nothing_to_learn() -> None:
    answers = torch.tensor([[3.0, 0.0, 1.0]], requires_grad=True)
    loss = of([[3.0, 0.0, 1.0]], 2.0).loss(torch.ones(1, 1, 1), answers)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(answers.grad, torch.zeros(1, 3))


def test_the_teacher_learns_nothing_and_evaluates() -> None:
    model = nn.Sequential(nn.Linear(1, 3), nn.Dropout(0.5))
    teacher = Teacher(model, launched(TINY), "count", 2.0)
    before = model[0].weight.clone()
    answers = torch.zeros(64, 3, requires_grad=True)
    losses = {teacher.loss(torch.ones(64, 1, 1), answers).item() for _ in range(3)}
    teacher.loss(torch.ones(64, 1, 1), answers).backward()
    assert len(losses) == 1
    assert model[0].weight.grad is None
    assert torch.equal(model[0].weight, before)


def test_a_run_starts_as_without_a_teacher_and_learns_otherwise(
    teacher: str, silence: Progress, tmp_path: Path
) -> None:
    alone = train(TINY, tmp_path / "alone", silence, compare=False)
    taught = train(replace(TINY, teacher=teacher), tmp_path / "taught", silence, compare=False)
    assert taught.budget.untrained.to_dict() == alone.budget.untrained.to_dict()
    assert taught.budget.history.loss[0] != alone.budget.history.loss[0]
    # the teacher is not counted
    first = [run.budget.history.synops_per_timestep for run in (alone, taught)]
    assert {name: counts[0] for name, counts in first[0].items()} == {
        name: counts[0] for name, counts in first[1].items()
    }


def test_of_a_student_that_is_its_teacher_the_loss_is_half_the_tasks(
    teacher: str, silence: Progress, tmp_path: Path
) -> None:
    started = replace(TINY, start_from=teacher)
    alone = train(started, tmp_path / "alone", silence, compare=False)
    taught = train(replace(started, teacher=teacher), tmp_path / "taught", silence, compare=False)
    losses = [run.budget.history.loss[0] for run in (alone, taught)]
    free = train(replace(started, epochs=1).without_budget(), tmp_path / "free2", silence)
    assert losses[0] - losses[1] == pytest.approx(free.budget.history.loss[0] / 2, rel=1e-4)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
def test_a_taught_run_resumes_to_the_same_weights(
    precision: str, teacher: str, silence: Progress, tmp_path: Path
) -> None:
    config = replace(TINY, teacher=teacher, readout="potential", precision=precision)  # type: ignore[arg-type]
    train(config, tmp_path / "whole", silence, compare=False)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "broken", StopAfter(5), compare=False)
    train(config, tmp_path / "broken", silence, compare=False, resume=True)
    one, two = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "broken")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_micro_batches_are_taught_as_the_batch_is(
    teacher: str, silence: Progress, tmp_path: Path
) -> None:
    config = replace(TINY, teacher=teacher, precision="64-true").without_budget()
    train(config, tmp_path / "whole", silence)
    train(replace(config, accumulate=3), tmp_path / "cut", silence)
    one, two = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut")
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-6)


def test_a_teacher_that_is_not_there_or_of_another_model_is_named(
    teacher: str, silence: Progress, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="No such file"):
        train(replace(TINY, teacher="nowhere.safetensors"), tmp_path / "a", silence)
    with pytest.raises(ValueError, match=r"free/checkpoint\.safetensors: .* of another model"):
        train(replace(TINY, teacher=teacher, model="recurrent"), tmp_path / "b", silence)
    assert not (tmp_path / "a/config.yaml").exists()
