"""Settings from YAML: typed, named, with the nearest match."""

from pathlib import Path
from typing import Any

import pytest

from picojoule.training import ConfigError, TrainConfig
from picojoule.training.files.yaml_file import read_settings, write_yaml
from picojoule.training.settings.stated import resolved


def yaml(tmp_path: Path, text: str) -> dict[str, object]:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return read_settings(file).values


def test_a_file_of_every_kind_of_setting(tmp_path: Path) -> None:
    text = """
        model: ./mynet.py:build
        epochs: 3
        learning_rate: 2e-3
        synops_per_timestep: {4: 6e4, cores.left: 20000}
        groups:
          cores.left: [7, head.2]
        check_finite: no
        start_from: null
        optimizer: muon
        schedule: hold
        readout: potential
        teacher: runs/free/checkpoint.safetensors
        temperature: 4
    """
    assert resolved(yaml(tmp_path, text)) == TrainConfig(
        model="./mynet.py:build",
        epochs=3,
        learning_rate=0.002,
        synops_per_timestep={"4": 6e4, "cores.left": 2e4},
        groups={"cores.left": ["7", "head.2"]},
        check_finite=False,
        optimizer="muon",
        schedule="hold",
        readout="potential",
        teacher="runs/free/checkpoint.safetensors",
        temperature=4.0,
    )


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    config = TrainConfig(
        synops_per_sample=1e-7,
        min_rate={"2": 1e22},
        groups={"a": ["1"]},
        data="no",
        validation_share=0.1,
        unreachable=["1", "tail"],
    )
    write_yaml(tmp_path / "config.yaml", config.to_dict())
    saved = read_settings(tmp_path / "config.yaml").values
    assert saved == config.to_dict()
    assert resolved(saved) == config
    assert config.differences(saved) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "there is no setting 'epoch'. Did you mean 'epochs'?"),
        ("synops_target: 3", "there is no setting 'synops_target'"),
        (
            "highest_rate: 0.2",
            "no setting 'highest_rate' any more: it is 'max_rate' now, and what was 'max_rate' is 'pixel_rate'",
        ),
        ("epochs: many", "epochs is 'many', expected a whole number"),
        ("epochs: 2.5", "epochs is 2.5, expected a whole number"),
        ("epochs: .inf", "epochs is inf, expected a whole number"),
        ("epochs: .nan", "epochs is nan, expected a whole number"),
        ("profile: loihu", "there is no profile 'loihu'. Nearest: loihi"),
        ("profile: speck", "'speck' has no energy per operation"),
        ("epochs: true", "epochs is True, expected a whole number"),
        ("learning_rate: [1]", r"learning_rate is \['1'\], expected a number"),
        ("model: 5", "model is 5, expected a word"),
        ("model: null", "model is None, expected a word"),
        ("check_finite: 1", "check_finite is 1, expected true or false"),
        ("min_rate: {2: much}", "min_rate is {'2': 'much'}, expected a number or numbers by layer"),
        ("groups: {a: 1}", "groups is {'a': 1}, expected lists of layers by group or nothing"),
        ("per: neuron", "per is neuron, expected one of layer, group, model, sample"),
        ("synapses: cut", "synapses is cut, expected one of keep, prune, thin, fixed"),
        ("optimizer: adan", "optimizer is adan, expected one of adam, adamw, sgd, muon"),
        ("schedule: linear", "schedule is linear, expected one of cosine, hold, constant"),
        ("readout: spikes", "readout is spikes, expected one of auto, count, potential"),
        ("temperature: 0", "temperature is 0.0, expected a number > 0"),
        ("teacher: 3", "teacher is 3, expected a word or nothing"),
        ("unreachable: 1", "unreachable is 1, expected a list of names or nothing"),
        (
            "within: 0.01",
            r"within is 0\.01, expected a share in \(margin, 1\), with a margin of 0\.01",
        ),
        ("epochs: 0", "epochs is 0, expected a whole number >= 1"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.yaml").write_text(f"# a comment\n{text}")
    with pytest.raises(ConfigError, match=rf"run\.yaml, line 2: (training: )?.*{message}"):
        resolved(*read_settings(tmp_path / "run.yaml"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 50.0}, "batch_size is 50.0, expected a whole number >= 1"),
        ({"epochs": "3"}, "epochs is '3', expected a whole number >= 1"),
        ({"epochs": True}, "epochs is True, expected a whole number >= 1"),
        ({"seed": 0.5}, "seed is 0.5, expected a whole number >= 0"),
        ({"learning_rate": "0.1"}, "learning_rate is '0.1', expected a number > 0"),
        ({"pixel_rate": "1"}, r"pixel_rate is '1', expected a number in \(0, 1\]"),
        ({"margin": None}, r"margin is None, expected a share in \[0, 1\)"),
        ({"within": "0.1"}, "within is '0.1', expected a share in"),
        ({"synops_per_timestep": {"4": "many"}}, "synops_per_timestep is {'4': 'many'}, expected"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"training: {message}"):
        TrainConfig(**settings)


def test_the_default_budget_steps_back_for_a_stated_one() -> None:
    assert resolved({}) == TrainConfig(synops_per_timestep=2e3, per="trainable")
    assert resolved({"per": "layer"}).per == "layer"
    # what is stated covers what it says
    assert resolved({"synops_per_timestep": 2e3}).per == "layer"
    assert resolved({"min_rate": 0.05}).synops_per_timestep == 2e3
    assert resolved({"synops_per_sample": 1e5}).synops_per_timestep is None
    assert resolved({"synops_per_timestep": None, "min_rate": None}) == TrainConfig()


def test_a_path_is_as_good_as_its_text() -> None:
    named = {"model": "a.nir", "data": "images", "start_from": "w.safetensors", "teacher": "t.pt"}
    paths = {name: Path(text) for name, text in named.items()}
    assert TrainConfig(**paths) == TrainConfig(**named)  # type: ignore[arg-type]
