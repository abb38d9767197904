"""A run that is resumed has the settings, the data and the first weights that it began with, or says what has changed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import picojoule.layers as pl
from picojoule.training import Progress, TrainConfig, save_checkpoint, train
from picojoule.training.files.checkpoint_files import Saved, read_checkpoint, write_checkpoint
from picojoule.training.samples.run_data import load_run_data

HERE = Path(__file__)


def made(what: str) -> int:
    """Of the environment, which the data's module sees whoever imports it."""
    return int(os.environ.get(f"MADE_{what}", "1"))


class Made:
    """Samples without `labels`; those of seed 0 are another each time."""

    num_classes = 3

    def __init__(self, samples: int) -> None:
        random = torch.Generator().manual_seed(made("seed"))
        self.frames = (torch.rand(samples, 4, 6, generator=random) < 0.5).float()

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        frames = self.frames[index] if made("seed") else torch.rand(4, 6).round()
        return frames, (index + made("turn")) % 3


def data() -> tuple[Made, Made]:
    return Made(30), Made(15)


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 12), pl.IAF(), nn.Linear(12, 3), pl.IAF())


CONFIG = TrainConfig(
    model=f"{HERE}:model",
    data=f"{HERE}:data",
    epochs=1,
    batch_size=15,
    synops_per_timestep={"2": 8.0},
)


def change_settings(folder: Path, old: str, new: str) -> None:
    text = (folder / "config.yaml").read_text()
    assert old in text
    (folder / "config.yaml").write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("changed", "old", "new", "told"),
    [
        ({"optimizer": "adam"}, "optimizer: muon", "optimizer: adam", "optimizer is 'adam' here and 'muon' there"),
        ({"seed": 5}, "seed: 1", "seed: 5", "seed is 5 here and 1 there"),
        ({"epochs": 3}, "epochs: 1", "epochs: 3", "epochs is 3 here and 1 there"),
    ],
)  # fmt: skip
def test_settings_that_were_edited_in_the_folder_are_refused(
    changed: dict[str, object], old: str, new: str, told: str, silence: Progress, tmp_path: Path
) -> None:
    train(CONFIG, tmp_path, silence, compare=False)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    change_settings(tmp_path, old, new)
    with pytest.raises(ValueError, match=f"began otherwise: {told}"):
        train(replace(CONFIG, **changed), tmp_path, silence, compare=False, resume=True)  # type: ignore[arg-type]
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("what", ["seed", "turn"])
def test_other_samples_are_refused(
    what: str, silence: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(CONFIG, tmp_path, silence, compare=False)
    monkeypatch.setenv(f"MADE_{what}", "2")
    with pytest.raises(ValueError, match=r"of a run on other data\. checksum of some samples"):
        train(CONFIG, tmp_path, silence, compare=False, resume=True)


def test_samples_that_are_drawn_at_random_have_no_checksum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MADE_seed", "0")
    assert load_run_data(CONFIG).checksum is None
    monkeypatch.setenv("MADE_seed", "1")
    assert load_run_data(CONFIG).checksum == load_run_data(CONFIG).checksum is not None


def test_other_first_weights_are_refused(silence: Progress, tmp_path: Path) -> None:
    file, out = tmp_path / "first.safetensors", tmp_path / "out"
    save_checkpoint(file, model())
    config = replace(CONFIG, start_from=str(file))
    train(config, out, silence, compare=False)
    train(config, out, silence, compare=False, resume=True)
    save_checkpoint(file, model())
    with pytest.raises(ValueError, match=r"start_from has other weights now: .*first.safetensors"):
        train(config, out, silence, compare=False, resume=True)


def test_a_checkpoint_from_before_goes_on(silence: Progress, tmp_path: Path) -> None:
    train(CONFIG, tmp_path, silence, compare=False)
    path = tmp_path / "checkpoint.safetensors"
    saved = read_checkpoint(path)
    progress = {name: each for name, each in saved.progress.items() if name != "begun_with"}
    del progress["sample"]["checksum of some samples"]
    write_checkpoint(path, Saved(saved.weights, saved.optimizer, progress))
    train(CONFIG, tmp_path, silence, compare=False, resume=True)
