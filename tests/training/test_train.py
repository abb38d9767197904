"""A run: reproducible, resumable, and written down."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from picojoule.training import Progress, Run, TrainConfig, lenet, load_checkpoint, train
from picojoule.training.loop.trainer import Trainer
from tests.training.conftest import Silence, write_idx


class StopAfter:
    """A progress that breaks a run off, as a user or a fault would."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def start(self, what: str, total: int, done: int) -> None:
        self.counting = what == "training"

    def advance(self, status: str) -> None:
        self.steps -= self.counting
        if self.steps < 0:
            raise KeyboardInterrupt

    def note(self, sentence: str) -> None:
        pass


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoint.safetensors")


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="session")
def unbroken(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run and its folder, for tests that only read them."""
    folder = tmp_path_factory.mktemp("unbroken")
    torch.manual_seed(123)
    return train(config, folder, Silence(), compare=False), folder


def test_the_same_seed_gives_the_same_numbers_another_seed_others(
    config: TrainConfig, silence: Progress, tmp_path: Path, unbroken: tuple[Run, Path]
) -> None:
    one, folder = unbroken
    torch.manual_seed(321)
    two = train(config, tmp_path / "two", silence, compare=False)
    assert_same_weights(folder, tmp_path / "two")
    assert one.to_dict() == two.to_dict()

    other = train(replace(config, seed=2), tmp_path / "other", silence, compare=False)
    assert other.budget.history.loss != one.budget.history.loss


def test_the_callers_random_numbers_are_left_alone(
    config: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(replace(config, epochs=1), tmp_path / "run", silence, compare=False)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("steps", [0, 2, 3, 5, 8])
def test_a_run_broken_off_anywhere_and_resumed_ends_as_an_unbroken_one(
    config: TrainConfig,
    silence: Progress,
    tmp_path: Path,
    unbroken: tuple[Run, Path],
    steps: int,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "broken", StopAfter(steps), compare=False)
    resumed = train(config, tmp_path / "broken", silence, compare=False, resume=True)
    assert_same_weights(unbroken[1], tmp_path / "broken")
    assert resumed.to_dict() == unbroken[0].to_dict()


def test_a_run_does_not_go_on_with_other_data(
    config: TrainConfig, few_images: Path, silence: Progress, tmp_path: Path
) -> None:
    data = shutil.copytree(few_images, tmp_path / "data")
    labels = data / "train-labels-idx1-ubyte"
    config, out = replace(config, data=str(data)), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train(config, out, StopAfter(3), compare=False)
    saved, before = weights(out), labels.read_bytes()

    labels.write_bytes(before[:8] + before[9:] + before[8:9])  # each image with its neighbour's
    with pytest.raises(ValueError, match=r"of a run on other data. checksum of the labels: "):
        train(config, out, silence, compare=False, resume=True)
    write_idx(labels, torch.arange(24) % 10)
    write_idx(data / "train-images-idx3-ubyte", torch.zeros(24, 28, 28, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"training samples: 30 then, 24 now; .*--start-from"):
        train(config, out, silence, compare=False, resume=True)

    assert all(torch.equal(value, saved[name]) for name, value in weights(out).items())
    shutil.copytree(few_images, data, dirs_exist_ok=True)
    train(config, out, silence, compare=False, resume=True)


def test_resuming_a_finished_run_trains_no_more(
    config: TrainConfig, tmp_path: Path, unbroken: tuple[Run, Path]
) -> None:
    first, folder = unbroken
    copy = shutil.copytree(folder, tmp_path / "copy")
    again = train(config, copy, StopAfter(0), compare=False, resume=True)
    assert again.to_dict() == first.to_dict()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the run below."""
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="session")
def run(config: TrainConfig, folder: Path) -> Run:
    """Beside the same network without a budget, for tests that only read it."""
    return train(config, folder, Silence())


def test_the_report_holds_every_figure_as_json(run: Run, folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert report == json.loads(json.dumps(run.to_dict()))
    assert report["trained"]["synops_per_timestep"].keys() == {"1", "4", "7", "10"}
    assert report["trained"]["silent_share"].keys() == {"2", "5", "8", "11"}
    assert len(report["history"]["loss"]) == 9
    assert all(len(x) == 9 for x in report["history"]["synops_per_timestep"].values())


def test_the_first_layer_is_known_to_be_set_by_the_input(run: Run) -> None:
    assert run.budget.trained.trainable == ("4", "7", "10")
    assert run.budget.trained.synops_per_timestep["1"] == pytest.approx(
        run.budget.untrained.synops_per_timestep["1"]
    )


def test_the_comparison_starts_from_the_same_network(run: Run) -> None:
    assert run.plain is not None
    assert (
        replace(run.plain.untrained, broken=()).to_dict()
        == replace(run.budget.untrained, broken=()).to_dict()
    )
    assert run.plain.history.synops_per_timestep != run.budget.history.synops_per_timestep
    assert run.accuracy_cost() == run.plain.trained.accuracy - run.budget.trained.accuracy


@pytest.mark.usefixtures("run")
def test_the_network_reloads_from_the_checkpoint(folder: Path) -> None:
    torch.manual_seed(99)
    model = lenet(batch_size=2)
    progress = load_checkpoint(folder / "checkpoint.safetensors", model)
    assert progress["epochs"] == 3
    saved = weights(folder)
    assert torch.equal(model[1].weight, saved["1.weight"])


def test_a_target_far_below_lowers_the_synops(
    config: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    tight = replace(config, epochs=10, batch_size=6, synops_per_timestep=2e3)
    run = train(tight, tmp_path, silence)
    assert run.plain is not None
    spent = run.budget.trained.synops_per_timestep["4"]
    assert spent < 0.5 * run.plain.trained.synops_per_timestep["4"]


def test_a_batch_larger_than_the_data_set_trains(
    config: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    run = train(replace(config, epochs=1, batch_size=100), tmp_path, silence, compare=False)
    assert len(run.budget.history.loss) == 1


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    config: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    wild = replace(config, learning_rate=1e30, check_finite=False)
    with pytest.raises(
        FloatingPointError,
        match=r"epoch 1/3: the loss became .*not finite first: the output of layer '4' \(Conv2d\).*learning rate",
    ):
        train(wild, tmp_path, silence, compare=False)


def test_weights_that_the_last_step_broke_do_not_replace_the_checkpoint(
    config: TrainConfig, silence: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: torch.optim.Optimizer) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.fill_(float("inf"))

    # one step an epoch: the loss is finite, the weights behind it are not
    monkeypatch.setattr(torch.optim.Adam, "step", broken)
    wild = replace(config, batch_size=100, optimizer="adam")
    with pytest.raises(
        FloatingPointError, match=r"weights '1\.weight' are not finite after epoch 1"
    ):
        train(wild, tmp_path, silence, compare=False)
    progress = load_checkpoint(tmp_path / "checkpoint.safetensors", lenet(batch_size=2))
    assert progress["epochs"] == 0


def test_a_layer_fed_with_nan_is_named(
    config: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError, match=r"layer '\d+' \(IAFSqueeze\): the input .* NaN or infinite"
    ):
        train(replace(config, learning_rate=1e30), tmp_path, silence, compare=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("num_timesteps", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("synops_per_timestep", 0.0),
        ("synops_per_sample", -1.0),
        ("energy_j", float("inf")),
        ("margin", 1.0),
        ("min_rate", -0.1),
        ("max_rate", 0.0),
        ("pixel_rate", 1.1),
        ("seed", -1),
        ("validation_share", 1.0),
        ("accumulate", 0),
        ("devices", 0),
        ("workers", -1),
        ("per", "neuron"),
        ("precision", "8-bit"),
        ("optimizer", "lion"),
        ("schedule", "step"),
        ("readout", "first"),
        ("temperature", float("inf")),
    ],
)
def test_a_setting_out_of_its_range_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"training: {name} is {value}"):
        TrainConfig(**{name: value})


def test_joules_need_a_profile() -> None:
    with pytest.raises(ValueError, match="Give a profile, such as profile='loihi'"):
        TrainConfig(energy_j=1e-6)


def test_what_no_training_can_meet_is_said_before_any(
    config: TrainConfig, silence: Progress, tmp_path: Path
) -> None:
    class StopAtOnce(StopAfter):
        def __init__(self) -> None:
            super().__init__(0)
            self.notes: list[str] = []

        def note(self, sentence: str) -> None:
            self.notes.append(sentence)

    progress = StopAtOnce()
    with pytest.raises(KeyboardInterrupt):
        train(replace(config, synops_per_timestep=1e3, min_rate=None), tmp_path, progress)
    silent, impossible = progress.notes
    assert "no neuron of layer '8' (IAFSqueeze) fires" in silent
    assert "synops_per_timestep of 1 = 1000 cannot be reached by training" in impossible


def test_what_training_does_not_reach_is_told_as_a_note(
    config: TrainConfig, silence: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[None] = []

    def saturated(*_: object, **__: object) -> dict[str, str]:
        steps.append(None)
        return {"min_rate of 5": "min_rate of 5 was not reached."} if len(steps) > 4 else {}

    monkeypatch.setattr("picojoule.budget.budget.saturated", saturated)
    run = train(replace(config, per="model"), tmp_path, silence, compare=False)
    assert silence.notes.count("min_rate of 5 was not reached.") == 1
    assert run.budget.not_reached["min_rate of 5"] == "min_rate of 5 was not reached."


@pytest.mark.parametrize("compare", [True, False])
def test_each_network_is_made_and_looks_at_its_first_batch_once(
    config: TrainConfig,
    tmp_path: Path,
    silence: Progress,
    compare: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[TrainConfig] = []
    begin = Trainer.begin

    def seen(trainer: Trainer) -> None:
        begun.append(trainer.config)
        begin(trainer)

    monkeypatch.setattr(Trainer, "begin", seen)
    one = replace(config, epochs=1)
    train(one, tmp_path, silence, compare=compare)
    assert begun == [one, one.without_budget()][: 1 + compare]
