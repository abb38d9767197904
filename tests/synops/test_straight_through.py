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


def _annealed(v: Tensor, hard: float = 1.0) -> Tensor:
    return hard * _fired(v) + (1 - hard) * _soft(v)


WAYS: list[Fire] = [
    _hard_after,
    _hard_before,
    _three_terms,
    _zero_first,
    _added_first,
    _taken_first,
    _annealed,
    lambda v: _fired(v) + _soft(v).mul(0),
    lambda v: (v * 0.0).add_(_fired(v)),
]
COMPUTED_TWICE: list[Fire] = [
    lambda v: _soft(v) + (_fired(v) - _soft(v)).detach(),
    lambda v: (_fired(v) - _soft(v)).detach() + _soft(v),
    lambda v: _fired(v).detach() - _soft(v).detach() + _soft(v),
    lambda v: _soft(v) - _soft(v).detach() + _fired(v),
    lambda v: _fired(v) + (_soft(v) - _soft(v).detach()),
    lambda v: _fired(v) - (_soft(v).detach() - _soft(v)),
    lambda v: _fired(v) + _soft(v) - _soft(v).detach(),
    lambda v: _soft(v) - (_soft(v) - _fired(v)).detach(),
    lambda v: v.clamp(-3, 3) + (_fired(v) - v.clamp(-3, 3)).detach(),
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
@pytest.mark.parametrize("fire", WAYS + COMPUTED_TWICE)
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


@pytest.mark.parametrize("fire", [_hard_after, COMPUTED_TWICE[0]])
def test_the_count_has_their_gradient(fire: Fire) -> None:
    model, x = InTheModel(fire), (torch.rand(4, STEPS, 8) < 0.5).float()
    with Monitor(model, num_timesteps=STEPS, time_axis="loop") as monitor:
        model(x)
    monitor.synops["readout"].backward()
    assert model.hidden.weight.grad is not None
    assert model.hidden.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("nothing", [lambda v: v * 0, lambda v: 0.0 * v, lambda v: v.mul(0)])
def test_a_state_that_begins_as_nothing_of_dense_values_costs_nothing(nothing: Fire) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.feedback = nn.Linear(8, 8)

        def forward(self, v: Tensor) -> Tensor:
            fired = _fired(v + self.feedback(nothing(v)))
            return v + self.feedback(fired)

    model, v = Recurrent(), torch.randn(4, 8)
    with Monitor(model, samples=4, num_timesteps=1) as monitor:
        model(v)
    fired = (v + model.feedback.bias > THRESHOLD).sum().item()
    assert monitor.synops.per_sample.total.item() * 4 == pytest.approx(fired * 8)
    assert monitor.macs.per_sample.total == 0


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


class Fires(nn.Module):
    """What is made of the input itself, and a layer."""

    def __init__(self, fire: Fire) -> None:
        super().__init__()
        self.readout, self.fire = nn.Linear(8, 3), fire

    def forward(self, v: Tensor) -> Tensor:
        return self.readout(self.fire(v).float())


def totals(fire: Fire, v: Tensor, grad: bool = False) -> list[tuple[float, float]]:
    """SynOps and MACs of each of three passes."""
    found, model = [], Fires(fire)
    with torch.set_grad_enabled(grad), Monitor(model, samples=len(v), num_timesteps=1) as monitor:
        for _ in range(3):
            model(v.clone().requires_grad_(grad))
            counts = monitor.synops, monitor.macs
            found.append(tuple(each.per_sample.total.item() * len(v) for each in counts))
    return found


V = torch.randn(40, 8, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("unit", [1.0, 0.3])
def test_computed_twice_in_few_bits(unit: float, dtype: torch.dtype, grad: bool) -> None:
    def fire(v: Tensor) -> Tensor:
        v = v.to(dtype)
        return _soft(v) + ((v > THRESHOLD).to(dtype) * unit - _soft(v)).detach()

    expected = float((V.to(dtype) > THRESHOLD).sum()) * 3
    for synops, macs in totals(fire, V, grad):
        assert synops == pytest.approx(expected, rel=0.01)
        assert macs == 0


@pytest.mark.parametrize("grad", [True, False])
def test_a_silent_layer_whose_surrogate_is_silent_costs_nothing(grad: bool) -> None:
    def triangle(v: Tensor) -> Tensor:
        return (1 - v.abs()).clamp(0, 1)

    def fire(v: Tensor) -> Tensor:
        v = v.tanh() - 100
        return triangle(v) + (_fired(v) - triangle(v)).detach()

    assert totals(fire, V, grad) == [(0, 0)] * 3


OTHER: list[Fire] = [
    lambda v: _soft(v) + (_fired(v) - torch.sigmoid(4 * v)).detach(),
    lambda v: _fired(v) + _soft(v) - torch.sigmoid(4 * v).detach(),
    lambda v: _fired(v) + (_soft(v) - torch.sigmoid(4 * v).detach()),
    lambda v: _fired(v) - _soft(v) + _soft(v) * 2,
    lambda v: _fired(v) + (v * 10).exp().round(decimals=1) - v.exp(),
]


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("fire", OTHER)
def test_other_values_of_the_same_shape_do_not_cancel(fire: Fire, grad: bool) -> None:
    assert totals(fire, V, grad) == [(0, 40 * 8 * 3)] * 3


def test_whole_potentials_are_no_spikes() -> None:
    """Without gradients nothing tells a leak from a surrogate, if both are whole."""

    def potential(v: Tensor) -> Tensor:
        current = F.linear(v.round(), torch.eye(8) * 2)
        return _fired(v) + current - F.linear(v.round(), torch.eye(8))

    for synops, macs in totals(potential, V):
        assert synops == pytest.approx(2 * float(V.round().abs().sum()) * 8)
        assert macs == 40 * 8 * 3


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
