"""`picojoule.load`: a run back from its folder."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import picojoule
from picojoule.training import Run, TrainConfig, lenet, save_checkpoint, train
from picojoule.training.samples.run_data import load_run_data
from tests.training import networks
from tests.training.commands import NETWORKS
from tests.training.conftest import Silence

TINY = TrainConfig(
    model=f"{NETWORKS}:model",
    data=f"{NETWORKS}:data",
    epochs=2,
    batch_size=8,
    synops_per_timestep={"2": 20.0},
    min_rate=0.05,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("loading") / "run"
    return folder, train(TINY, folder, Silence(), compare=False)


def copied(run: Path, folder: Path) -> None:
    for path in run.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


def test_the_network_answers_as_it_did_at_the_end(run: tuple[Path, Run]) -> None:
    folder, trained = run
    loaded = picojoule.load(folder)
    test = load_run_data(TINY).test
    frames = torch.stack([test[i][0] for i in range(len(test))])
    labels = torch.tensor([test[i][1] for i in range(len(test))])
    with loaded.monitor, torch.no_grad():
        answers = loaded.answers(frames).argmax(1)
    measured = trained.budget.trained
    assert (answers == labels).double().mean().item() == measured.accuracy
    spent = {name: synops.item() for name, synops in loaded.monitor.synops.items()}
    assert spent == pytest.approx(measured.synops_per_timestep)
    assert not loaded.model.training


def test_it_prints_in_some_lines_however_long_it_trained(run: tuple[Path, Run]) -> None:
    folder, trained = run
    for text in (repr(picojoule.load(folder)), repr(trained)):
        assert "TrainConfig(" in text or "epochs=" in text
        assert "synops_per_timestep={'0': [" not in text
        assert "'history'" not in text
        assert "loss=[" not in text


def test_settings_budget_and_figures_come_with_it(run: tuple[Path, Run]) -> None:
    folder, _ = run
    loaded = picojoule.load(str(folder))
    assert loaded.config == TINY
    assert loaded.report == json.loads((folder / "report.json").read_text())
    assert loaded.budget is not None
    with loaded.monitor:
        output = loaded.model(torch.ones(2, networks.TIME, networks.INPUTS))
        saved = loaded.budget.state_dict()
        loaded.budget.backward(output.sum())
    assert saved["tracks"].keys() == {
        "synops_per_timestep of 2",
        "min_rate of 1",
        "min_rate of 3",
        "min_rate of 5",
    }
    beside = load_file(next(folder.glob("checkpoint.training-*")))
    for name, value in saved["averages"].items():
        (kept,) = [x for key, x in beside.items() if "averages" in key and name in key]
        assert torch.equal(value, kept)


def test_the_random_numbers_of_others_are_left_alone(run: tuple[Path, Run]) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    picojoule.load(run[0])
    assert torch.equal(torch.rand(1), expected)


def test_a_model_of_ones_own_takes_the_weights(run: tuple[Path, Run]) -> None:
    mine = networks.model()
    assert picojoule.load(run[0], model=mine).model is mine
    assert torch.equal(mine[0].weight, load_file(run[0] / "trained.safetensors")["0.weight"])
    with pytest.raises(ValueError, match="of another model"):
        picojoule.load(run[0], model=torch.nn.Linear(2, 2))


def test_the_chosen_epoch_is_loaded(tmp_path: Path) -> None:
    config = replace(TINY, validation_share=0.25, synops_per_timestep=1e6, min_rate=1e-6)
    chosen = train(config, tmp_path, Silence(), compare=False).budget.history.chosen_epoch
    assert chosen is not None
    loaded = picojoule.load(tmp_path)
    best = load_file(tmp_path / "best.safetensors")
    assert all(torch.equal(loaded.model.state_dict()[name], best[name]) for name in best)


def test_a_built_in_model_has_the_shape_of_its_data(config: TrainConfig, tmp_path: Path) -> None:
    train(replace(config, epochs=1), tmp_path, Silence(), compare=False)
    loaded = picojoule.load(tmp_path)
    assert repr(loaded.model) == repr(lenet(config.batch_size))


def test_an_unfinished_run_has_no_figures_yet(run: tuple[Path, Run], tmp_path: Path) -> None:
    for path in run[0].iterdir():
        if path.name != "report.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert picojoule.load(tmp_path).report is None


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run: there is no config"):
        picojoule.load(tmp_path)
    (tmp_path / "seed1/budget-0.5").mkdir(parents=True)
    (tmp_path / "seed1/budget-0.5/config.yaml").write_text("epochs: 1\n")
    with pytest.raises(FileNotFoundError, match=r"Name one of the runs in it: seed1/budget-0\.5"):
        picojoule.load(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has no checkpoint\.safetensors yet"):
        picojoule.load(tmp_path / "seed1/budget-0.5")


def test_a_model_that_is_not_found_any_more_can_be_given(
    run: tuple[Path, Run], tmp_path: Path
) -> None:
    copied(run[0], tmp_path)
    text = (tmp_path / "config.yaml").read_text().replace(str(NETWORKS), "gone.py")
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"no file gone\.py.*load\(folder, model=\.\.\.\)"):
        picojoule.load(tmp_path)
    picojoule.load(tmp_path, model=networks.model())


@pytest.mark.parametrize("content", [b"{", b"\xff{}", b"3.5", b"[" * 100_000])
def test_damaged_figures_are_named(run: tuple[Path, Run], tmp_path: Path, content: bytes) -> None:
    copied(run[0], tmp_path)
    (tmp_path / "report.json").write_bytes(content)
    mine = networks.model()
    before = mine[0].weight.clone()
    with pytest.raises(ValueError, match=r"report\.json is damaged \(.*Without it the run loads"):
        picojoule.load(tmp_path, mine)
    assert torch.equal(mine[0].weight, before)


@pytest.mark.parametrize(
    ("progress", "message"),
    [
        ({}, "budget is missing"),
        ({"budget": [1]}, "budget is a list"),
        ({"notes": 1}, "notes is unknown"),
    ],
)
def test_a_checkpoint_that_is_no_runs_is_named(
    run: tuple[Path, Run], tmp_path: Path, progress: dict[str, object], message: str
) -> None:
    copied(run[0], tmp_path)
    save_checkpoint(tmp_path / "checkpoint.safetensors", networks.model(), progress=progress)
    for goes_on in (picojoule.load, lambda folder: train(TINY, folder, Silence(), resume=True)):
        with pytest.raises(ValueError, match=rf"checkpoint\.safetensors is a .*{message}"):
            goes_on(tmp_path)


def test_the_budget_of_a_trimmed_network_judges_what_was_measured(run: tuple[Path, Run]) -> None:
    """Its averages were of the weights before the trim."""
    folder, trained = run
    loaded = picojoule.load(folder)
    assert loaded.budget is not None
    test = load_run_data(TINY).test
    with loaded.monitor, torch.no_grad():
        loaded.answers(torch.stack([test[i][0] for i in range(len(test))]))
        found = {each.name: each.value for each in loaded.budget.violations()}
    told = {each.name: each.value for each in trained.budget.trained.broken}
    assert found == pytest.approx(told)
