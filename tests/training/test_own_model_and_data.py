"""Models and data sets that users name, and what they hear where the two do not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from picojoule.layers import IAF, IAFSqueeze
from picojoule.training import Progress, TrainConfig, train
from picojoule.training.answers.readout import summed_over_time
from picojoule.training.networks.factories import load_datasets, load_model
from picojoule.training.networks.models import build_model
from picojoule.training.samples.run_data import _num_classes as num_classes
from picojoule.training.samples.run_data import load_run_data
from tests.training.commands import NETWORKS
from tests.training.networks import CLASSES, INPUTS, TIME, Noise

HERE = Path(__file__)
TINY = TrainConfig(
    model=f"{NETWORKS}:model", data=f"{NETWORKS}:data", epochs=1, batch_size=8, min_rate=0.01
)

instance = nn.Sequential(nn.Linear(INPUTS, CLASSES), IAF())


def folded() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(0, 1), nn.Linear(INPUTS, CLASSES), IAFSqueeze(num_timesteps=TIME)
    )


def analog() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(INPUTS * TIME, CLASSES))


def two_classes() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 2), IAF())


def narrow() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS - 1, CLASSES), IAF())


def images_out() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, CLASSES), IAF(), nn.Unflatten(2, (1, CLASSES)))


def with_batch_norm() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(0, 1),
        nn.BatchNorm1d(INPUTS),
        nn.Linear(INPUTS, CLASSES),
        IAFSqueeze(num_timesteps=TIME),
    )


def twice_the_time() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(0, 1), nn.Linear(INPUTS, CLASSES), IAFSqueeze(num_timesteps=2 * TIME)
    )


class Plain:
    """No more than a user has to write: a list of NumPy arrays, say."""

    def __init__(
        self, samples: int, time: int = TIME, labels: int = CLASSES, ragged: bool = False
    ) -> None:
        self.samples, self.time, self.classes, self.ragged = samples, time, labels, ragged

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        time = self.time + (index if self.ragged else 0)
        return np.ones((time, INPUTS), dtype=np.uint8), index % self.classes


def plain() -> tuple[Plain, Plain]:
    return Plain(9), Plain(6)


def four_classes() -> tuple[Plain, Plain]:
    return Plain(9, labels=4), Plain(6)


def ragged() -> tuple[Plain, Plain]:
    return Plain(9, ragged=True), Plain(6)


def other_features() -> tuple[Noise, Plain]:
    class Wide(Plain):
        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            return np.ones((TIME, 99)), 0

    return Noise(9), Wide(6)


def empty() -> tuple[Plain, Plain]:
    return Plain(0), Plain(6)


class Labelled(Plain):
    """Its labels are made of the class by a function of one's own."""

    def __init__(self, samples: int, made: Callable[[int], object]) -> None:
        super().__init__(samples)
        self.made = made

    def __getitem__(self, index: int) -> tuple[np.ndarray, object]:  # type: ignore[override]
        frames, label = super().__getitem__(index)
        return frames, self.made(label)


def one_hot() -> tuple[Plain, Plain]:
    return Labelled(9, lambda label: torch.eye(CLASSES)[label]), Plain(6)


def one_hot_test() -> tuple[Plain, Plain]:
    return Plain(9), Labelled(6, lambda label: [int(label == k) for k in range(CLASSES)])


def words() -> tuple[Plain, Plain]:
    return Labelled(9, lambda label: f"class {label}"), Plain(6)


def halves() -> tuple[Plain, Plain]:
    return Labelled(9, lambda label: label + 0.5), Plain(6)


def late() -> tuple[Plain, Plain]:
    """The first label is right."""
    return Labelled(9, lambda label: label if label == 0 else torch.eye(CLASSES)[label]), Plain(6)


def arrays() -> tuple[Plain, Plain]:
    return Labelled(9, lambda label: np.array([label])), Labelled(6, np.uint8)


def one_set() -> Plain:
    return Plain(3)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("instance", "plain"),
        ("folded", "plain"),
        ("with_batch_norm", "plain"),
        ("instance", "arrays"),
    ],
)
def test_a_users_model_and_data_train(
    model: str, data: str, silence: Progress, tmp_path: Path
) -> None:
    named = replace(TINY, model=f"{HERE}:{model}", data=f"{HERE}:{data}")
    run = train(named, tmp_path, silence)
    assert run.plain is not None
    assert run.plain.untrained.accuracy == run.budget.untrained.accuracy  # the same at the start
    assert len(run.budget.history.loss) == 2


def loaders() -> object:
    return DataLoader(Plain(8)), DataLoader(Plain(8))


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("narrow", "plain", r"does not take the data: a batch of 8 x 4 x 6 \(samples, time steps"),
        ("twice_the_time", "plain", "layer '2' .* is built for 8 time steps, the data have 4"),
        ("two_classes", "plain", "a label 2, but the model tells 2 classes apart"),
        (
            "images_out",
            "plain",
            r"answers a batch of 8 samples of 4 time steps with \(8, 4, 1, 3\)",
        ),
        ("analog", "plain", "the model has no spiking layer"),
        ("instance", "four_classes", "a label 3, but the model tells 3 classes apart, 0 to 2"),
        ("instance", "ragged", r"frames of shapes .*expected one shape"),
        (
            "instance",
            "other_features",
            "the training samples have shape 4 x 6, those of the test set 4 x 99",
        ),
        (
            "instance",
            "one_hot",
            r"first sample of the train data set: a label is a tensor of shape \(3,\), one-hot, .*argmax",
        ),
        ("instance", "one_hot_test", r"of the test data set: .* one-hot"),
        ("instance", "words", "a label is 'class 0', a str, expected the number of a class"),
        ("instance", "halves", r"a label is 0\.5, expected the number of a class"),
        ("instance", "late", r"a label is a tensor of shape \(3,\)"),
        ("instance", "empty", "the train data set is empty"),
        (
            "instance",
            "one_set",
            r"gave a value of type Plain, expected two data sets, \(train, test\)",
        ),
        (
            "instance",
            "loaders",
            r"gave a tuple of DataLoader, DataLoader, expected two data sets, .*d\[i\]",
        ),
        ("instence", "plain", "Did you mean 'instance'"),
    ],
)
def test_what_does_not_fit_is_named(
    model: str, data: str, message: str, silence: Progress, tmp_path: Path
) -> None:
    named = replace(TINY, model=f"{HERE}:{model}", data=f"{HERE}:{data}")
    with pytest.raises(ValueError, match=message):
        train(named, tmp_path / "run", silence)
    assert not (tmp_path / "run/config.yaml").exists()


def test_a_model_whose_classes_are_too_few_is_told_before_training(
    silence: Progress, tmp_path: Path
) -> None:
    named = replace(TINY, model=f"{HERE}:two_classes")
    with pytest.raises(
        ValueError, match="the data have 3 classes, but the model tells only 2 apart"
    ):
        train(named, tmp_path, silence)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lenet", (5, 700), "lenet takes frames of shape t c h w.*Choose model recurrent"),
        ("recurrent", (5, 1, 28, 28), "recurrent takes spike trains of shape t n"),
        ("lenet", (5, 1, 20, 28), "the input is 20 x 28 pixels, expected at least 28 x 28"),
        ("letnet", (5, 700), "there is no model 'letnet'. Choose one of lenet, recurrent"),
    ],
)
def test_a_built_in_model_that_does_not_fit_is_named(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(name, shape, 10, 2)


def test_built_in_models_ask_for_the_number_of_classes() -> None:
    with pytest.raises(ValueError, match="give the data set an attribute num_classes"):
        build_model("lenet", (5, 1, 28, 28), None, 2)


@pytest.mark.parametrize("shape", [(3, 2, 34, 34), (3, 3, 32, 32), (2, 2, 64, 80), (2, 1, 28, 40)])
def test_lenet_fits_images_of_any_size(shape: tuple[int, ...]) -> None:
    model = build_model("lenet", shape, 7, 2)
    assert model(torch.ones(2, *shape)).shape == (2, shape[0], 7)


def test_the_recurrent_net_learns_a_little(silence: Progress, tmp_path: Path) -> None:
    config = replace(TINY, model="recurrent", epochs=8, learning_rate=0.01)
    run = train(config, tmp_path, silence, compare=False)
    losses = run.budget.history.loss
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 4, 2], 5),
        (torch.tensor([1]), 2),
        (["zero", "one"], None),
        (torch.eye(3), None),
        ([], None),
    ],
)
def test_the_number_of_classes_is_taken_from_labels_that_are_numbers(
    labels: object, classes: int | None
) -> None:
    named = Plain(3)
    named.labels = labels  # type: ignore[attr-defined]
    assert num_classes(named, Plain(3)) == classes


def test_models_are_made_anew_from_an_instance() -> None:
    first, second = (load_model(f"{HERE}:instance") for _ in range(2))
    assert first is not second
    assert first[0].weight is not second[0].weight


def test_data_sets_may_come_as_a_tuple_of_ones_own_kind() -> None:
    train_set, test_set = load_datasets("picojoule.data:load_data")
    assert (len(train_set), len(test_set)) == (6000, 2000)


@pytest.mark.parametrize("output", [torch.ones(2, 3, 4), torch.ones(6, 4), torch.full((2, 4), 3.0)])
def test_outputs_of_every_form_are_summed_over_time(output: Tensor) -> None:
    assert torch.equal(
        summed_over_time(output, batch_size=2, num_timesteps=3), torch.full((2, 4), 3.0)
    )


def test_an_output_that_is_no_tensor_is_named() -> None:
    with pytest.raises(ValueError, match="with a tuple, expected b t c"):
        summed_over_time((torch.ones(2, 3), None), batch_size=2, num_timesteps=3)


def test_data_may_be_called_like_the_built_in_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = Path(NETWORKS).read_text()
    Path("saccade_set.py").write_text(code)
    assert load_run_data(replace(TINY, data="saccade_set.py:data")).shape == (TIME, INPUTS)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('json.loads("{")', "Expecting property name"),
        ("bytes([255]).decode()", "'utf-8' codec can't decode"),
        ("int('x')", "invalid literal for int"),
    ],
)
def test_an_error_of_the_data_keeps_its_words(
    silence: Progress, tmp_path: Path, fault: str, said: str
) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        f"""import json
import torch

class Data:
    reads = 0
    def __len__(self):
        return 16
    def __getitem__(self, i):
        Data.reads += 1
        if Data.reads > 30:
            {fault}
        return torch.ones({TIME}, {INPUTS}), i % {CLASSES}

def data():
    return Data(), [(torch.ones({TIME}, {INPUTS}), 1)] * 4
"""
    )
    with pytest.raises(ValueError, match=rf"epoch \d/3.*: {said}.*"):
        train(
            replace(TINY, data=f"{file}:data", epochs=3), tmp_path / "run", silence, compare=False
        )
