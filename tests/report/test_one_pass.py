"""The ANN beside a network runs each layer once: also one that the network runs once, and not in each time step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn

import picojoule
import picojoule.layers as pl
from picojoule.report.report import Report

BATCH, TIME, INPUTS, HIDDEN, OUTPUTS = 4, 20, 10, 30, 7


class Readout(nn.Module):
    """A first layer in each step or once, a last one in each step or once."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first, self.last = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, OUTPUTS)
        self.neurons = pl.IAFSqueeze(batch_size=BATCH) if how == "folded" else pl.IAF()

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "folded":
            return self.last(self.neurons(self.first(x)))
        if self.how == "once first":
            spikes = self.neurons(self.first(x)[:, None].expand(-1, TIME, -1))
            return self.last(spikes)
        if self.how == "in chunks":
            return pl.checkpoint_time(
                nn.Sequential(self.first, self.neurons, self.last), x, steps=3
            )
        if self.how == "in a loop":
            return torch.stack(
                [self.last(self.neurons(self.first(x[:, t : t + 1]))[:, 0]) for t in range(TIME)], 1
            )
        spikes = self.neurons(self.first(x))
        return self.last(spikes.sum(1)) if self.how == "once last" else self.last(spikes)


def counted(how: str) -> Report:
    torch.manual_seed(1)
    x = (torch.rand(BATCH, TIME, INPUTS) < 0.5).float()
    if how == "once first":
        x = torch.rand(BATCH, INPUTS)
    if how == "folded":
        x = x.flatten(0, 1)
    model = Readout(how)
    with picojoule.Monitor(model) as monitor:
        for _ in range(2):  # the second is counted by what the first showed
            picojoule.reset_states(model)
            model(x)
    return monitor.report()


@pytest.mark.parametrize(
    "how", ["each step", "folded", "in a loop", "in chunks", "once last", "once first"]
)
def test_one_pass_of_each_layer(how: str) -> None:
    rows = {row.name: row for row in counted(how).rows}
    assert rows["first"].macs_one_pass == INPUTS * HIDDEN
    assert rows["last"].macs_one_pass == HIDDEN * OUTPUTS
    spikes = rows["last"].synops_per_sample
    assert spikes
    assert rows["last"].spikes_per_synapse == pytest.approx(spikes / TIME / (HIDDEN * OUTPUTS))


def test_a_call_that_failed_is_no_application() -> None:
    class Retries(Readout):
        def forward(self, x: Tensor) -> Tensor:
            rates = self.neurons(self.first(x)).sum(1)
            for each in (rates[:, 1:], rates):
                with suppress(RuntimeError):
                    made = self.last(each)
            return made

    x = (torch.rand(BATCH, TIME, INPUTS) < 0.5).float()
    with picojoule.Monitor(model := Retries("retries")) as monitor:
        model(x)
    (last,) = (row for row in monitor.report().rows if row.name == "last")
    assert last.macs_one_pass == HIDDEN * OUTPUTS


def test_the_verdict_does_not_hang_on_where_spikes_are_added_up() -> None:
    each, once = (counted(how).energy("45nm-int8+step") for how in ("each step", "once last"))
    assert each.ann.total_j == once.ann.total_j
    assert each.spikes_per_synapse == pytest.approx(once.spikes_per_synapse)


@pytest.mark.parametrize("shape", [(0, 7, INPUTS), (2, 0, INPUTS)])
@pytest.mark.filterwarnings("ignore::picojoule.synops.MonitorWarning")
def test_a_report_on_nothing_says_so(shape: tuple[int, ...]) -> None:
    model = nn.Sequential(nn.Linear(INPUTS, 3), pl.IAF())
    with picojoule.Monitor(model) as monitor:
        model(torch.zeros(shape))
    assert any("nothing was counted" in sentence for sentence in monitor.report().warnings)


def test_a_spread_that_is_not_known_is_told() -> None:
    model = nn.Sequential(nn.Linear(INPUTS, 3), pl.IAF())
    said = []
    for steps in (7, 4):
        with picojoule.Monitor(model, accumulate=True, detail=["sample"]) as monitor:
            for each in (7, steps):
                picojoule.reset_states(model)
                model((torch.rand(3, each, INPUTS) < 0.5).float())
        found = monitor.report()
        told = any("spread over samples is not known of '0'" in each for each in found.warnings)
        said.append((told, found.synops_per_sample_sd is None))
    assert said == [(False, False), (True, True)]


@pytest.mark.parametrize("energy", [-1e-14, float("nan"), 24.96, "2e-12"])
def test_joules_of_a_byte_are_checked(energy: object) -> None:
    from picojoule.energy import MemoryCost

    build: Callable[..., object] = MemoryCost
    with pytest.raises(ValueError, match=r"MemoryCost 'x': j_per_byte is .* expected joules"):
        build(name="x", j_per_byte=energy, source="s", includes="i")
