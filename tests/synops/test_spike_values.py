"""What a spike is worth, where only values tell: found when something fires, and anew when it changes."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Monitor

TIME, BATCH, INPUTS, HIDDEN, OUTPUTS = 5, 4, 16, 12, 5


def spikes(*shape: int) -> Tensor:
    return (torch.rand(*shape) < 0.3).float()


class Fires(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, v: Tensor) -> Tensor:
        return (v > 0).float()

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad


class Scaled(nn.Module):
    """Neurons whose spikes are worth their threshold."""

    def __init__(self, threshold: float | nn.Parameter = 0.5) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        """`t b n`."""
        v, made = torch.zeros_like(x[0]), []
        for current in x:
            v = v + current
            fired = Fires.apply(v - self.threshold) * self.threshold  # type: ignore[no-untyped-call]
            v = v - fired
            made.append(fired)
        return torch.stack(made)


class Levels(nn.Module):
    """Quarters in training, ones in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return (4 * x).clamp(0, 4).round() / 4 if self.training else (x > 0.5).float()


def network(neurons: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(INPUTS, HIDDEN), neurons, nn.Linear(HIDDEN, OUTPUTS))


def assert_counted(model: nn.Sequential, monitor: Monitor, x: Tensor, worth: float) -> None:
    """The last layer hears as many spikes as its neurons fired, of that worth, and no dense values."""
    fired = model[1](model[0](x)).sum().item() / worth
    with monitor:
        model(x)
    assert monitor.synops.per_sample["2"].item() == pytest.approx(fired * OUTPUTS / BATCH)
    assert monitor.macs["2"] == 0
    entries = TIME * BATCH * HIDDEN
    assert monitor.rates["1"].mean().item() == pytest.approx(fired / entries)
    assert fired > 0


def test_a_threshold_that_is_changed_between_passes() -> None:
    model = network(Scaled())
    monitor = Monitor(model, spiking=[Scaled], time_axis="tb")
    for threshold in (0.5, 1.0, 0.25, 0.6, 0.3):
        model[1].threshold = threshold
        assert_counted(model, monitor, spikes(TIME, BATCH, INPUTS), threshold)


def test_several_spikes_at_once_stay_several() -> None:
    class Twice(Scaled):
        def forward(self, x: Tensor) -> Tensor:
            return (x / 0.5).floor().clamp(0, 3) * 0.5

    model = network(Twice())
    monitor = Monitor(model, spiking=[Twice], time_axis="tb")
    with torch.no_grad():
        model[0].weight.mul_(4)  # one, two and three at once
    assert_counted(model, monitor, spikes(TIME, BATCH, INPUTS), 0.5)
    model[0].weight.data.zero_()
    model[0].bias.data.fill_(1.2)  # every neuron fires twice
    assert_counted(model, monitor, spikes(TIME, BATCH, INPUTS), 0.5)


def test_a_threshold_that_is_learned_keeps_its_budget() -> None:
    model = network(Scaled(nn.Parameter(torch.tensor(0.7))))
    monitor = Monitor(model, spiking=[Scaled], time_axis="tb").attach()
    budget = picojoule.Budget(monitor, synops_per_timestep={"2": 10.0}, steps=20)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(20):
        x = spikes(TIME, BATCH, INPUTS)
        optimizer.zero_grad()
        loss = ((3 * model(x)).sum(0) - 1).square().mean()
        spent = monitor.synops["2"].item()
        with monitor.paused(), torch.no_grad():
            fired = (model[1](model[0](x)) != 0).sum().item()
        assert spent == pytest.approx(fired * OUTPUTS / (BATCH * TIME))
        budget.backward(loss)
        optimizer.step()
        budget.step()


def test_training_and_evaluation_may_have_other_spikes() -> None:
    model = network(Levels())
    monitor = Monitor(model, spiking=[Levels], time_axis="tb")
    for training in (True, False, True, False):
        model.train(training)
        assert_counted(model, monitor, spikes(TIME, BATCH, INPUTS), 0.25 if training else 1.0)


class Residual(nn.Module):
    """Two ways, of which the second is silent at first."""

    def __init__(self, join: str) -> None:
        super().__init__()
        self.join = join
        self.first, self.second = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.loud, self.silent = Scaled(1.0), Scaled(1.0)
        self.last = nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        k = self.loud(3 * self.first(x))
        z = self.silent(3 * self.second(k))
        joined = {
            "add": lambda: k + z,
            "maximum": lambda: torch.maximum(k, z),
            "and not": lambda: k * (1 - z),
            "where": lambda: torch.where(z > 0, z, k),
        }[self.join]()
        self.arrived = joined.detach()
        return self.last(joined)


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("join", ["add", "maximum", "and not", "where"])
def test_neurons_that_are_silent_at_first_do_not_hide_the_others(join: str, said: bool) -> None:
    torch.manual_seed(0)
    model = Residual(join)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of neurons that were found, and how
        monitor = Monitor(model, spiking=[Scaled] if said else [], time_axis="tb")
        model.silent.threshold = 100.0
        for step in range(4):
            if step == 2:
                model.silent.threshold = 1.0
            with monitor:
                model(spikes(TIME, BATCH, INPUTS))
            assert monitor.macs["last"] == 0
            expected = model.arrived.abs().sum().item() * OUTPUTS / BATCH
            assert monitor.synops.per_sample["last"].item() == pytest.approx(expected)
            assert expected > 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated")
@pytest.mark.filterwarnings("ignore:Monitor. no spiking layer")
def test_spikes_of_a_script_are_worth_the_same_in_each_pass() -> None:
    @torch.jit.script
    def halves(x: Tensor) -> Tensor:
        return (x > 0.2).float() * 0.5

    class Scripted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, OUTPUTS)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(halves(self.first(x)))

    model, x = Scripted(), spikes(BATCH, INPUTS)
    expected = (halves(model.first(x)) * 2).sum().item() * OUTPUTS
    monitor = Monitor(model)
    for _ in range(3):
        with monitor:
            model(x)
        assert (monitor.synops["last"].item() * BATCH, monitor.macs["last"]) == (expected, 0)


def apart(model: Residual) -> None:
    """Spikes of both ways are worth different values from now on, so that their sum is none of them."""
    model.loud.threshold, model.silent.threshold = 1.0, 0.7


def test_a_layer_whose_spikes_became_dense_values_is_told_and_keeps_no_limit() -> None:
    torch.manual_seed(0)
    model, x = Residual("add"), spikes(TIME, BATCH, INPUTS)
    monitor = Monitor(model, spiking=[Scaled], time_axis="tb").attach()
    limits = {"last": 1e6, "second": 1e6}
    budget = picojoule.Budget(monitor, synops_per_timestep=limits)
    model(x)
    assert budget.met
    assert monitor.turned_dense == frozenset()
    apart(model)
    with pytest.warns(picojoule.synops.MonitorWarning, match="'last' had spikes .* SynOps 0"):
        model(x)
    assert monitor.turned_dense == {"last"}
    (found,) = budget.violations()
    assert found.name == "synops_per_timestep of last"
    assert "dense values now" in found.why
    assert not budget.met
    model.silent.threshold = 1.0
    model(x)
    assert budget.met
    assert monitor.synops["last"] > 0


def test_joules_have_the_products_of_dense_values_in_them() -> None:
    torch.manual_seed(0)
    model, x = Residual("add"), spikes(TIME, BATCH, INPUTS)
    monitor = Monitor(model, spiking=[Scaled], time_axis="tb").attach()
    budget = picojoule.Budget(monitor, energy_j={"last": 1.0}, profile="45nm-int8")
    model(x)
    apart(model)
    with pytest.warns(picojoule.synops.MonitorWarning):
        model(x)
    assert budget.met
