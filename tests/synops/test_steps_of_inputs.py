"""Samples are found in whatever a model is called with; and a model is watched by whatever it is called."""

from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from picojoule import Monitor
from picojoule.synops import MonitorWarning

X = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # 8 spikes
PER_SAMPLE = 8 * 2 / 4


@dataclass
class Batch:
    x: Tensor
    label: int = 0


class Plain:
    def __init__(self, x: Tensor) -> None:
        self.name, self.x = "batch", x


Named = namedtuple("Named", "x")
WAYS: dict[str, tuple[Any, Callable[[Any], Tensor]]] = {
    "list": ([X], lambda b: b[0]),
    "named tuple": (Named(X), lambda b: b.x),
    "dict": ({"x": X}, lambda b: b["x"]),
    "OrderedDict": (OrderedDict(t=torch.tensor(0.5), x=X), lambda b: b["x"]),
    "list of dicts": ([{"x": X}], lambda b: b[0]["x"]),
    "dict of lists of tuples": ({"a": [("name", X)]}, lambda b: b["a"][0][1]),
    "UserDict": (UserDict(x=X), lambda b: b["x"]),
    "dataclass": (Batch(X), lambda b: b.x),
    "dataclass in a dict": ({"batch": Batch(X)}, lambda b: b["batch"].x),
    "object": (Plain(X), lambda b: b.x),
}


class Reads(nn.Module):
    def __init__(self, get: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.fc, self.get = nn.Linear(3, 2), get

    def forward(self, batch: Any) -> dict[str, Tensor]:
        return {"logits": self.fc(self.get(batch))}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by_keyword", [False, True])
def test_samples_in_a_container(way: str, by_keyword: bool) -> None:
    batch, get = WAYS[way]
    model = Reads(get)
    with Monitor(model) as monitor:
        model(batch=batch) if by_keyword else model(batch)
    assert monitor.report().samples == 4
    assert monitor.synops.per_sample["fc"].item() == PER_SAMPLE


@pytest.mark.parametrize("time_axis", ["bt", "tb"])
def test_the_time_axis_of_what_is_in_a_container(time_axis: Any) -> None:
    model = Reads(lambda b: b["x"])
    with Monitor(model, time_axis=time_axis) as monitor:
        model({"length": torch.tensor([5, 5]), "x": torch.ones(5, 4, 3)})
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == ((5, 4) if time_axis == "bt" else (4, 5))


class After(nn.Module):
    """A neural ODE, or diffusion: the time comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, t: Any, x: Tensor) -> Tensor:
        return self.fc(x) * t


@pytest.mark.parametrize("t", [0.5, torch.tensor(0.5), torch.tensor([0.5])], ids=repr)
def test_samples_behind_a_scalar(t: Any) -> None:
    model = After()
    with Monitor(model) as monitor:
        model(t, X)
    assert (monitor.report().samples, monitor.synops.per_sample["fc"].item()) == (4, PER_SAMPLE)


def test_a_packed_sequence_has_as_many_samples_as_sequences() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x: PackedSequence) -> Tensor:
            return self.fc(x.data)

    model, x = Packed(), pack_sequence([torch.ones(5, 3), torch.ones(2, 3)])
    with Monitor(model) as monitor:
        model(x)
    assert monitor.report().samples == 2
    assert monitor.synops.per_sample["fc"].item() == 7 * 3 * 2 / 2


def test_a_model_that_is_given_no_tensor() -> None:
    class Dreams(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, samples: int) -> Tensor:
            return self.fc(torch.rand(samples, 3))

    model = Dreams()
    with (
        Monitor(model) as monitor,
        pytest.warns(MonitorWarning, match="no tensor with axes.*Pass samples="),
    ):
        model(4)
    assert monitor.report().samples == 1
    with Monitor(model, samples=4) as monitor:
        model(4)
    assert (monitor.report().samples, monitor.report().macs_per_sample) == (4, 6.0)
    assert monitor.warnings == ()


# ---- calls of other methods than forward


class Network(nn.Module):
    """Run by a method, as in BindsNET: groups and connections are called as plain methods."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(3, 2), requires_grad=False)

    def run(self, inputs: dict[str, Tensor], time: int) -> None:
        self.s = torch.zeros(len(inputs["X"][0]), 2, dtype=torch.bool)
        self.record = []
        for t in range(time):
            self.s = inputs["X"][t] @ self.w > 1
            self.record.append(self.s)


def test_a_model_without_forward_is_watched_by_the_method_that_runs_it() -> None:
    network, x = Network(), torch.stack([X, X])
    monitor = Monitor(network, time_axis="tb")
    with monitor:
        network.run({"X": x}, time=2)
    with pytest.raises(RuntimeError, match=r"monitor\.call\(model\.run, \.\.\.\)"):
        _ = monitor.synops
    assert monitor.call(network.run, {"X": x}, time=2) is None
    assert (monitor.report().samples, monitor.report().num_timesteps) == (4, 2)
    assert monitor.synops.per_sample.total.item() == 2 * PER_SAMPLE
    assert not network._forward_hooks
    assert not network._forward_pre_hooks


def test_a_call_that_calls_the_model_is_one_pass() -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    with Monitor(model) as monitor:
        out = monitor.call(lambda x: model(model(x).clamp(0, 0)), X)
        assert torch.equal(out, model[0].bias.expand(4, 3))
    assert monitor.synops.per_sample["0"].item() == 8 * 3 / 4  # the second time nothing arrives
    with monitor:
        model(X)  # and the model is watched as ever
    assert monitor.synops.per_sample["0"].item() == 8 * 3 / 4


def test_a_call_that_fails_leaves_the_results_of_before() -> None:
    model = nn.Linear(3, 2)
    with Monitor(model) as monitor:
        model(X)
        with pytest.raises(ZeroDivisionError):
            monitor.call(lambda x: model(x) / (1 // 0), X)
        assert monitor.synops.per_sample.total.item() == PER_SAMPLE
        model(X[:1])
    assert monitor.report().samples == 1
