"""Spikes whose gradient is that of something else, by a sum that cancels: `p + (spikes - p).detach()`."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import Monitor

STEPS, THRESHOLD = 6, 0.2
Fire = Callable[[Tensor], Tensor]


def _fired(v: Tensor) -> Tensor:
    return (v > THRESHOLD).float()


def _soft(v: Tensor) -> Tensor:
    return torch.sigmoid(5 * v)


def _hard_after(v: Tensor) -> Tensor:
    p = _soft(v)
    return p + (_fired(v) - p).detach()


def _hard_before(v: Tensor) -> Tensor:
    p = _soft(v)
    return (_fired(v) - p).detach() + p


def _three_terms(v: Tensor) -> Tensor:
    p = _soft(v)
    return _fired(v).detach() - p.detach() + p


def _zero_first(v: Tensor) -> Tensor:
    return v - v.detach() + _fired(v)


def _added_first(v: Tensor) -> Tensor:
    p = _soft(v)
    return _fired(v) + p - p.detach()


def _taken_first(v: Tensor) -> Tensor:
    p = _soft(v)
    return p - (p - _fired(v)).detach()


WAYS: list[Fire] = [
    _hard_after,
    _hard_before,
    _three_terms,
    _zero_first,
    _added_first,
    _taken_first,
]


class InTheModel(nn.Module):
    """A loop over time without modules for neurons."""

    def __init__(self, fire: Fire) -> None:
        super().__init__()
        self.hidden, self.readout, self.fire = nn.Linear(8, 16), nn.Linear(16, 3), fire
        self.fired = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        v, out, self.fired = torch.zeros(()), [], torch.zeros(())
        for now in x.unbind(1):
            v = 0.9 * v + self.hidden(now)
            spikes = self.fire(v)
            v = v - THRESHOLD * spikes
            self.fired = self.fired + spikes.detach().round().sum()
            out.append(self.readout(spikes))
        return torch.stack(out, 1)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("fire", WAYS)
def test_they_are_spikes(fire: Fire, grad: bool) -> None:
    torch.manual_seed(0)
    model, x = InTheModel(fire), (torch.rand(4, STEPS, 8) < 0.5).float()
    monitor = Monitor(model, num_timesteps=STEPS, time_axis="loop").attach()
    for _ in range(3):
        with torch.set_grad_enabled(grad):
            model(x)
        assert model.fired > 0
        assert monitor.synops.per_sample["readout"].item() * 4 == pytest.approx(
            3 * model.fired.item(), rel=1e-5
        )
        assert monitor.macs.per_sample.total == 0
    monitor.detach()


def test_the_count_has_their_gradient() -> None:
    model, x = InTheModel(_hard_after), (torch.rand(4, STEPS, 8) < 0.5).float()
    with Monitor(model, num_timesteps=STEPS, time_axis="loop") as monitor:
        model(x)
    monitor.synops["readout"].backward()
    assert model.hidden.weight.grad is not None
    assert model.hidden.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("taken", [lambda p: p * 0.5, lambda p: p.clone().add_(1e-3), torch.exp])
def test_what_does_not_cancel_is_dense(taken: Fire) -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.readout = nn.Linear(8, 3)

        def forward(self, v: Tensor) -> Tensor:
            p = _soft(v)
            return self.readout(taken(p) + (_fired(v) - p).detach())

    model = Other()
    for _ in range(2):
        with Monitor(model) as monitor:
            model(torch.randn(4, 8))
        assert monitor.synops.per_sample.total == 0
        assert monitor.macs.per_sample.total == 8 * 3


def test_what_was_changed_in_place_does_not_cancel() -> None:
    class Changed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.readout = nn.Linear(8, 3)

        @torch.no_grad()
        def forward(self, v: Tensor) -> Tensor:
            p = _soft(v)
            offset = _fired(v) - p
            return self.readout(offset + p.mul_(0.5))

    model = Changed()
    with Monitor(model) as monitor:
        model(torch.randn(4, 8))
    assert monitor.macs.per_sample.total == 8 * 3


class TwoSums(nn.Module):
    """A sum that takes an offset away, and one of the same shapes that does not, in either order."""

    def __init__(
        self, taken_away: Callable[[Tensor, Tensor], Tensor], other: Fire, swapped: bool
    ) -> None:
        super().__init__()
        self.p, self.q, self.readout = (nn.Linear(6, n, bias=False) for n in (6, 6, 3))
        self.taken_away, self.other, self.swapped = taken_away, other, swapped
        self.arrived: list[Tensor] = []

    def forward(self, x: Tensor) -> None:
        p, q = self.p(x), self.q(x)
        sums = [lambda: self.taken_away(p, _fired(p)), lambda: self.other(torch.stack([p, q]))]
        self.arrived = [each() for each in (sums[::-1] if self.swapped else sums)]
        for each in self.arrived:
            self.readout(each)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("taken_away", "other"),
    [
        (lambda p, spikes: p + (spikes - p).detach(), lambda both: both[0] + both[1].detach()),
        (lambda p, spikes: spikes + (p - p.detach()), lambda both: both[0] - both[1].detach()),
        (lambda p, spikes: (spikes + p) - p.detach(), lambda both: both[0] - both[1].detach()),
        (lambda p, spikes: p - (p - spikes).detach(), lambda both: both[1] - both[0].detach()),
    ],
)
def test_a_sum_like_one_that_cancelled_is_looked_at_by_itself_in_each_pass(
    taken_away: Callable[[Tensor, Tensor], Tensor], other: Fire, swapped: bool
) -> None:
    torch.manual_seed(0)
    model, x = TwoSums(taken_away, other, swapped), (torch.rand(5, 6) < 0.5).float()
    monitor = Monitor(model, samples=5, num_timesteps=1).attach()
    for _ in range(4):
        model(x)
        spikes = _fired(model.p(x)).sum().item()
        assert monitor.synops["readout"].item() * 5 == pytest.approx(spikes * 3)
        assert monitor.macs["readout"].item() == 6 * 3


def test_a_hard_gumbel_softmax_is_one_of_each_row() -> None:
    class Choice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.readout = nn.Linear(8, 3)

        def forward(self, v: Tensor) -> Tensor:
            return self.readout(F.gumbel_softmax(v, hard=True))

    model = Choice()
    with Monitor(model, num_timesteps=1, time_axis="loop") as monitor:
        model(torch.randn(4, 8))
    assert monitor.synops.per_sample.total.item() == pytest.approx(3)


@pytest.mark.parametrize("spiking", [True, False])
def test_a_neuron_module_of_one_step_is_found(spiking: bool) -> None:
    class Neuron(nn.Module):
        v = torch.zeros(())

        def forward(self, x: Tensor) -> Tensor:
            self.v = 0.9 * self.v + x
            spikes = _hard_after(self.v)
            self.v = self.v - THRESHOLD * spikes
            return spikes

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.neuron, self.readout = nn.Linear(8, 16), Neuron(), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.neuron.v = torch.zeros(())
            return torch.stack(
                [self.readout(self.neuron(self.hidden(now))) for now in x.unbind(1)], 1
            )

    torch.manual_seed(0)
    model = Network()
    fired: list[Tensor] = []
    model.readout.register_forward_pre_hook(lambda _, args: fired.append(args[0].detach()))
    monitor = Monitor(model, spiking=[Neuron] if spiking else [])
    x = (torch.rand(4, STEPS, 8) < 0.5).float()
    if spiking:
        with monitor:
            model(x)
    else:
        with monitor, pytest.warns(UserWarning, match="because of what they do: 'neuron'"):
            model(x)
    arrived = torch.stack(fired).round().sum().item() * 3
    assert monitor.synops.per_sample["readout"].item() * 4 == pytest.approx(arrived, rel=1e-5)
    assert monitor.report().num_timesteps == STEPS
