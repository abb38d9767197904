"""Tasks that are no classification: a loss and a score of one's own, and any tensor as target."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional as F
from typer.testing import CliRunner

from picojoule.cli.app import app
from picojoule.cli.frontier_table import print_frontier
from picojoule.layers import IAF
from picojoule.training import (
    ConfigError,
    Frontier,
    Progress,
    Quiet,
    SweepConfig,
    TrainConfig,
    train,
)
from picojoule.training.samples.targets import stacked_targets
from picojoule.training.sweeping.one_run import one_run
from tests.training.commands import NETWORKS, checkpoint
from tests.training.networks import INPUTS, TIME, Noise

HERE = Path(__file__)


class WithTarget:
    """The frames of Noise, and a target made of them."""

    def __init__(self, frames: Noise, target: Callable[[Tensor], Any]) -> None:
        self.frames, self.target = frames, target

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        frames, _ = self.frames[index]
        return frames, self.target(frames)


def both(target: Callable[[Tensor], Any]) -> tuple[WithTarget, WithTarget]:
    return WithTarget(Noise(26, redrawn=False), target), WithTarget(
        Noise(13, redrawn=False), target
    )


def shares() -> tuple[WithTarget, WithTarget]:
    """A number a sample: the share of its inputs that spike."""
    return both(lambda frames: frames.mean().item())


def busy() -> tuple[WithTarget, WithTarget]:
    """A class a time step: whether the first half of the inputs spikes more than the second."""
    return both(lambda x: (x[:, :3].sum(1) > x[:, 3:].sum(1)).long().numpy())


def pairs() -> tuple[WithTarget, WithTarget]:
    return both(lambda x: {"mean": x.mean()})


def ragged() -> tuple[WithTarget, WithTarget]:
    return both(lambda x: x.flatten()[: 1 + int(x.sum())])


def hidden(outputs: int) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Linear(INPUTS, 12), IAF(), nn.Linear(12, outputs)]


def regressor() -> nn.Module:
    return nn.Sequential(*hidden(1))


def labeller() -> nn.Module:
    return nn.Sequential(*hidden(2))


class MeanSquare:
    score_name = "negative squared error"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output.mean((1, 2)), target)

    def score(self, output: Tensor, target: Tensor) -> Tensor:
        return -F.mse_loss(output.mean((1, 2)), target, reduction="sum")


class StepLabels:
    score_name = "steps that are right"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.transpose(1, 2), target)

    def score(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.argmax(2) == target).float().mean(1).sum()


class NoNumber(MeanSquare):
    def score(self, output: Tensor, target: Tensor) -> Tensor:
        return super().score(output, target) * float("nan")


class Infinite(MeanSquare):
    def score(self, output: Tensor, target: Tensor) -> Tensor:
        return super().score(output, target) - float("inf")


class InTheEnd(MeanSquare):
    """A score that is no number as soon as the network is trained."""

    losses = 0

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        self.losses += 1
        return super().loss(output, target)

    def score(self, output: Tensor, target: Tensor) -> Tensor:
        return super().score(output, target) * (1 if self.losses < 2 else float("nan"))


class Detached(MeanSquare):
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return super().loss(output.detach(), target)


class PerSample(MeanSquare):
    def score(self, output: Tensor, target: Tensor) -> Tensor:
        return output.mean((1, 2))


class Failing(MeanSquare):
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return output @ target


class Nameless:
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return output.mean()


REGRESSION = TrainConfig(
    model=f"{HERE}:regressor",
    data=f"{HERE}:shares",
    task=f"{HERE}:MeanSquare",
    epochs=6,
    batch_size=8,
    optimizer="adam",
    learning_rate=0.01,
    synops_per_timestep={"2": 4.0},
    validation_share=0.2,
)
LABELLING = replace(
    REGRESSION,
    model=f"{HERE}:labeller",
    data=f"{HERE}:busy",
    task=f"{HERE}:StepLabels",
    learning_rate=0.05,
)


@pytest.mark.parametrize(
    "config",
    [REGRESSION, LABELLING, replace(REGRESSION, precision="bf16-mixed")],
    ids=["a number", "a class a step", "half precision"],
)
def test_a_network_learns_it(config: TrainConfig, silence: Progress, tmp_path: Path) -> None:
    run = train(config, tmp_path, silence)
    losses = run.budget.history.loss
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    assert run.plain is not None
    assert run.plain.trained.accuracy > run.plain.untrained.accuracy


def test_the_score_is_the_mean_over_all_samples(silence: Progress, tmp_path: Path) -> None:
    """Whatever the batches: the untrained network's, by hand."""
    run = train(replace(REGRESSION, batch_size=3, epochs=1), tmp_path, silence, compare=False)
    _, test = shares()
    # as fit makes it: the factory seeds the weights
    model = regressor()
    frames = torch.stack([test[n][0] for n in range(len(test))])
    targets = torch.tensor([test[n][1] for n in range(len(test))])
    with torch.no_grad():
        errors = (model(frames).mean((1, 2)) - targets).square()
    assert run.budget.untrained.accuracy == pytest.approx(-errors.mean().item(), rel=1e-5)
    assert run.budget.untrained.score_name == "negative squared error"
    assert run.to_dict()["trained"]["score_name"] == "negative squared error"


def test_a_run_goes_on_where_it_stopped(silence: Progress, tmp_path: Path) -> None:
    whole = train(REGRESSION, tmp_path / "whole", silence, compare=False)
    again = train(REGRESSION, tmp_path / "whole", silence, compare=False, resume=True)
    assert again.to_dict() == whole.to_dict()
    with pytest.raises(ValueError, match=r"task is .*StepLabels' here and .*MeanSquare' there"):
        train(replace(REGRESSION, task=LABELLING.task), tmp_path / "whole", silence, resume=True)


def test_a_micro_batch_weighs_as_many_samples_as_it_has(silence: Progress, tmp_path: Path) -> None:
    alone = replace(REGRESSION, precision="64-true", epochs=2).without_budget()
    train(alone, tmp_path / "whole", silence)
    train(replace(alone, accumulate=3), tmp_path / "cut", silence)
    one, two = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut")
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-6)


def test_the_tables_show_the_score_by_its_name(tmp_path: Path) -> None:
    named = {name: getattr(REGRESSION, name) for name in ("task", "model", "data")}
    arguments = ["--epochs=1", "--synops-per-timestep=2=4", "--min-rate=0.001"]
    arguments += [f"--{name}={value}" for name, value in named.items()]
    done = CliRunner(env={"COLUMNS": "120"}).invoke(
        app, ["train", *arguments, "--out", str(tmp_path / "run")]
    )
    assert done.exit_code == 0, done.output
    assert "Test negative squared error\n" in done.output
    assert "of negative squared error" in done.output
    assert "accuracy" not in done.output


def test_a_sweep_shows_the_score_by_its_name(tmp_path: Path) -> None:
    alone = replace(REGRESSION, epochs=1, validation_share=0.0).without_budget()
    config = SweepConfig(budgets=(0.5,), training=alone)
    free = one_run(alone, tmp_path / "free", Quiet())
    assert free.score_name == "negative squared error"
    assert free.accuracy < 0
    half = replace(free, accuracy=free.accuracy - 0.004, synops_per_timestep={"2": 1.0})
    frontier = Frontier.of(config, dict(zip(config.runs(1), (free, half), strict=True)))
    shown = io.StringIO()
    print_frontier(frontier, 1.0, console=Console(file=shown, width=200))
    assert "Negative squared error and SynOps per time step" in shown.getvalue()
    assert f"Cheapest within 0.01 of the best ({free.accuracy:.4g})" in shown.getvalue()
    assert f"{half.accuracy:.4g} (0.004 less)" in shown.getvalue()
    assert "ccuracy" not in shown.getvalue()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": f"{HERE}:Detached"}, "Detached' has no gradient"),
        (
            {"task": f"{HERE}:PerSample"},
            r"score of .* gave shape \(8,\), expected a scalar: the sum",
        ),
        (
            {"task": f"{HERE}:Failing"},
            r"loss of .*Failing' failed on an output of shape \(8, 4, 1\) and targets of shape \(8,\)",
        ),
        ({"task": f"{HERE}:Nameless"}, r"expected a task.*It lacks score, score_name"),
        ({"task": f"{HERE}:MeanSqare"}, "Did you mean 'MeanSquare'"),
        ({"task": "MeanSquare"}, "is not module:factory, or file.py:factory"),
        ({"data": f"{HERE}:pairs"}, "first sample of the train data set: a target is a dict"),
        ({"data": f"{HERE}:ragged"}, "targets of shapes"),
        ({"task": None}, r"a label is 0\.\d+.*expected the number of a class.* --task"),
    ],
)
def test_what_does_not_fit_is_named_before_training(
    changed: dict[str, Any], message: str, silence: Progress, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        train(replace(REGRESSION, **changed), tmp_path / "run", silence)
    assert not (tmp_path / "run/config.yaml").exists()


@pytest.mark.parametrize(("task", "score"), [("NoNumber", "nan"), ("Infinite", "-inf")])
def test_a_score_that_is_no_number_is_named_before_training(
    task: str, score: str, silence: Progress, tmp_path: Path
) -> None:
    config = replace(REGRESSION, task=f"{HERE}:{task}")
    with pytest.raises(ValueError, match=f"its score is {score}, expected a finite number"):
        train(config, tmp_path / "run", silence)
    assert not (tmp_path / "run/checkpoint.safetensors").exists()


def test_one_that_is_none_after_training_is_in_no_report(silence: Progress, tmp_path: Path) -> None:
    config = replace(REGRESSION, task=f"{HERE}:InTheEnd", batch_size=26, validation_share=0.0)
    with pytest.raises(ValueError, match="measuring the trained network: its score is nan"):
        train(config, tmp_path / "run", silence)
    assert not (tmp_path / "run/report.json").exists()


@pytest.mark.parametrize(
    "others", [{"readout": "potential"}, {"teacher": "checkpoint.safetensors"}]
)
def test_what_reads_classes_does_not_go_with_a_task(others: dict[str, Any]) -> None:
    (name,) = others
    with pytest.raises(ConfigError, match=f"{name} is .* task") as told:
        replace(REGRESSION, **others)
    assert told.value.setting == name


def test_targets_become_one_tensor() -> None:
    assert stacked_targets([np.float64(1.5), 2.5]).dtype == torch.float32
    assert torch.equal(stacked_targets([np.eye(2), np.zeros((2, 2))])[0], torch.eye(2))
    assert stacked_targets([torch.ones(TIME, dtype=torch.bool)] * 3).shape == (3, TIME)
    with pytest.raises(ValueError, match=r"targets of shapes \(1,\), \(2,\)"):
        stacked_targets([[1], [1, 2]])
    with pytest.raises(ValueError, match="a target is a str"):
        stacked_targets(["left"])


def test_a_classification_is_as_before_with_the_same_loss_as_a_task(
    silence: Progress, tmp_path: Path
) -> None:
    named = TrainConfig(
        model=f"{NETWORKS}:model",
        data=f"{NETWORKS}:data",
        epochs=1,
        batch_size=8,
        min_rate=0.01,
        readout="count",
    )
    built_in = train(named, tmp_path / "one", silence, compare=False)
    own = train(replace(named, task=f"{HERE}:Classes"), tmp_path / "two", silence, compare=False)
    assert own.budget.history.loss == pytest.approx(built_in.budget.history.loss, rel=1e-6)
    assert own.budget.trained.accuracy == built_in.budget.trained.accuracy


class Classes:
    score_name = "accuracy"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.sum(1), target)

    def score(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.sum(1).argmax(1) == target).sum()
