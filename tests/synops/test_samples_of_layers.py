"""How many samples a forward pass has, where PyTorch's own layers or a shrinking batch tell."""

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.layers import IAF, FlattenTime, UnflattenTime
from picojoule.synops import MonitorWarning


def _samples(model: nn.Module, *args: Tensor) -> int:
    with Monitor(model) as monitor:
        model(*args)
    return int(monitor.report().samples)


UNBATCHED: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "Linear": (nn.Linear(8, 3), (8,)),
    "Conv1d": (nn.Conv1d(2, 4, 3), (2, 8)),
    "Conv2d": (nn.Conv2d(2, 4, 3), (2, 8, 8)),
    "Conv3d": (nn.Conv3d(2, 4, 3), (2, 8, 8, 8)),
    "ConvTranspose2d": (nn.ConvTranspose2d(2, 4, 3), (2, 8, 8)),
    "behind others": (nn.Sequential(nn.Identity(), nn.Conv2d(2, 4, 3), nn.ReLU()), (2, 8, 8)),
    "LSTM": (nn.LSTM(8, 3), (5, 8)),
}


@pytest.mark.parametrize("name", UNBATCHED)
def test_a_layer_that_takes_a_sample_alone_has_one(name: str) -> None:
    model, shape = UNBATCHED[name]
    assert _samples(model, (torch.rand(shape) < 0.5).float()) == 1


@pytest.mark.parametrize("name", UNBATCHED)
def test_with_a_batch_it_has_as_many(name: str) -> None:
    model, shape = UNBATCHED[name]
    if name == "LSTM":
        shape = (5, 8)
        assert _samples(model, (torch.rand(5, 4, 8) < 0.5).float()) == 4
        return
    assert _samples(model, (torch.rand(4, *shape) < 0.5).float()) == 4


SEQUENCES: dict[str, tuple[nn.Module, int]] = {
    "LSTM": (nn.LSTM(8, 3), 1),
    "GRU, batch first": (nn.GRU(8, 3, batch_first=True), 0),
    "attention": (nn.TransformerEncoderLayer(8, 2, 16), 1),
    "attention, batch first": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 0),
    "attention at rest": (nn.TransformerEncoderLayer(8, 2, 16).eval(), 1),
    "behind others": (nn.Sequential(nn.Linear(8, 8), nn.LSTM(8, 3)), 1),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_layers_of_sequences_say_where_the_samples_are(name: str) -> None:
    model, axis = SEQUENCES[name]
    x = (torch.rand(5, 3, 8) < 0.5).float()
    assert _samples(model, x) == x.shape[axis]


def test_spiking_layers_go_before_them() -> None:
    model = nn.Sequential(nn.Linear(8, 8), IAF(), nn.Linear(8, 8), nn.TransformerEncoderLayer(8, 2))
    assert _samples(model, (torch.rand(5, 3, 8) < 0.5).float()) == 5


def test_samples_that_leave_the_batch_were_there() -> None:
    class LeavesOneByOne(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.synapses, self.neuron = nn.Linear(8, 6), Neuron()

        def forward(self, x: Tensor) -> Tensor:
            self.neuron.v = torch.zeros(len(x), 6)
            out = x.new_zeros(())
            for step in range(x.shape[1]):
                left = max(len(x) - step, 1)
                self.neuron.v = self.neuron.v[:left]
                out = out + self.neuron(self.synapses(x[:left, step])).sum()
            return out

    class Neuron(nn.Module):
        v = torch.zeros(())

        def forward(self, x: Tensor) -> Tensor:
            v = self.v + x
            fired = (v > 0.2).float()
            self.v = v - 0.2 * fired
            return fired

    model, x = LeavesOneByOne(), (torch.rand(3, 5, 8) < 0.5).float()
    with Monitor(model, spiking=[Neuron]) as monitor:
        model(x)
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == (3, 5)
    arrived = sum(x[: max(3 - step, 1), step].sum() for step in range(5)) * 6
    assert monitor.synops.per_sample.total.item() * 3 == pytest.approx(float(arrived))


def test_layers_of_sequences_say_it_by_keyword_too() -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.mix = nn.GRU(8, 8), nn.MultiheadAttention(8, 2)

        def forward(self, x: Tensor, which: str) -> Tensor:
            if which == "rnn":
                return self.rnn(hx=torch.zeros(1, x.shape[1], 8), input=x)[0]
            return self.mix(query=x, key=x, value=x)[0]

    x = (torch.rand(5, 3, 8) < 0.5).float()
    for which in ("rnn", "mix"):
        model = ByName()
        with Monitor(model) as monitor:
            model(x, which)
        assert monitor.report().samples == 3
        assert not any(part._forward_pre_hooks for part in model.modules())


@pytest.mark.parametrize("kind", [FlattenTime, UnflattenTime])
def test_layers_that_fold_time_say_it_by_keyword_too(kind: type[nn.Module]) -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reshape = kind(batch_size=3) if kind is UnflattenTime else kind()

        def forward(self, x: Tensor) -> Tensor:
            return self.reshape(data=x)

    shape = (15, 8) if kind is UnflattenTime else (3, 5, 8)
    model = ByName()
    with Monitor(model) as monitor:
        model(torch.ones(shape))
    assert (monitor.report().samples, monitor.report().num_timesteps) == (3, 5)


# ---- patches in the batch axis


class Patches(nn.Module):
    """`b t (p n)`: a neuron for each of 4 patches in turn, and one for all."""

    def __init__(self, neuron: type[nn.Module] = IAF, small_first: bool = True) -> None:
        super().__init__()
        self.embed, self.small = nn.Linear(2, 3), neuron()
        self.mix, self.big = nn.Linear(12, 6), neuron()
        self.small_first = small_first

    def forward(self, x: Tensor) -> Tensor:
        patches = x.unflatten(-1, (4, 2)).transpose(1, 2).flatten(0, 1)  # (b p) t n
        if not self.small_first:
            self.big(self.mix(x.repeat(1, 1, 2)[..., :12]))
        s = self.small(self.embed(patches))
        s = s.unflatten(0, (-1, 4)).transpose(1, 2).flatten(2)  # b t (p n)
        return self.big(self.mix(s)) if self.small_first else s


class StepByStep(nn.Module):
    """The same, a step a call."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.small = nn.Linear(2, 3), Fires()
        self.mix, self.big = nn.Linear(12, 6), Fires()

    def forward(self, x: Tensor) -> Tensor:
        out = x.new_zeros(())
        for now in x.unbind(1):
            s = self.small(self.embed(now.unflatten(-1, (4, 2)).flatten(0, 1)))
            out = out + self.big(self.mix(s.reshape(len(x), -1)))
        return out


class Fires(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x > 0.2).float()


X = torch.ones(3, 5, 8)


def test_samples_that_layers_disagree_on_are_asked_for() -> None:
    model = Patches()
    words = (
        "layer 'small' got 12 samples and 'big' got 3; those of 'small' are taken. Pass samples="
    )
    with Monitor(model), pytest.warns(MonitorWarning, match=words):
        model(X)
    for first in (True, False):
        model = Patches(small_first=first)
        with Monitor(model, samples=3) as monitor:
            model(X)
        assert (monitor.report().samples, monitor.report().num_timesteps) == (3, 5)
        assert monitor.synops.per_sample["embed"].item() == 5 * 8 * 3
        assert monitor.neuron_updates.per_sample["big"].item() == 5 * 6
        assert monitor.warnings == ()
    with Monitor(Patches(small_first=False), samples=12) as monitor:  # as one of the layers has it
        monitor.model(X)
    assert (monitor.report().samples, monitor.report().num_timesteps) == (12, 5)


def test_samples_that_neurons_of_a_loop_disagree_on_are_asked_for() -> None:
    model = StepByStep()
    words = (
        "layer 'small' got 12 samples and 'big' got 3; those of 'small' are taken. Pass samples="
    )
    with (
        Monitor(model, spiking=[Fires], num_timesteps=5),
        pytest.warns(MonitorWarning, match=words),
    ):
        model(X)
    with Monitor(model, spiking=[Fires], num_timesteps=5, samples=3) as monitor:
        model(X)
    assert monitor.synops.per_sample["embed"].item() == 5 * 8 * 3
    assert monitor.warnings == ()


def test_samples_that_a_layer_has_more_of_than_the_input_are_asked_for() -> None:
    class Alone(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.unflatten(-1, (4, 2)).transpose(1, 2).flatten(0, 1))

    model = Alone(nn.Linear(2, 3), IAF())
    words = "layer '1' got 12 samples and the input has 3; those of '1' are taken. Pass samples="
    with Monitor(model), pytest.warns(MonitorWarning, match=words):
        model(X)
    with Monitor(model, samples=3) as monitor:
        model(X)
    assert monitor.synops.per_sample["0"].item() == 5 * 8 * 3


@pytest.mark.parametrize("given", ["b t n", "t b n", "(b t) n", "b n"])
def test_samples_that_the_input_has_elsewhere_are_no_doubt(given: str) -> None:
    class Turns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.neuron = nn.Linear(8, 3), IAF()

        def forward(self, x: Tensor) -> Tensor:
            if given == "t b n":
                x = x.transpose(0, 1)
            elif given == "(b t) n":
                x = x.unflatten(0, (6, 2))
            elif given == "b n":
                x = x.unsqueeze(1).expand(-1, 2, -1)
            return self.neuron(self.fc(x))

    shape = {"b t n": (6, 2, 8), "t b n": (2, 6, 8), "(b t) n": (12, 8), "b n": (6, 8)}[given]
    model = Turns()
    with Monitor(model) as monitor:
        model(torch.ones(shape))
    assert (monitor.report().samples, monitor.report().num_timesteps) == (6, 2)
    assert monitor.warnings == ()
