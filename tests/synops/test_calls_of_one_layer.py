"""Modules that are called several times in one pass: step by step, chunk by chunk, or for several layers."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Monitor
from picojoule.layers import ALIF, IAF, LIF, IAFSqueeze, LIFRecurrent
from picojoule.synops import MonitorWarning

B, T = 6, 4
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "IAF": IAF,
    "LIF": lambda: LIF(5.0),
    "ALIF": lambda: ALIF(5.0, 5.0),
    "LIFRecurrent": lambda: LIFRecurrent(5.0, rec_connect=nn.Linear(5, 5, bias=False)),
    "IAFSqueeze": lambda: IAFSqueeze(batch_size=B),
}


class Loop(nn.Module):
    """`b t n`, so many steps a call."""

    def __init__(self, layer: nn.Module, steps: int = 1, times: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.lif, self.out = nn.Linear(4, 5), layer, nn.Linear(5, 2)
        with torch.no_grad():
            self.fc.weight.abs_()
        self.steps, self.times = steps, times

    def forward(self, x: Tensor) -> Tensor:
        made = []
        for chunk in x.repeat(1, self.times, 1).split(self.steps, 1):
            folded = isinstance(self.lif, IAFSqueeze)
            made.append(self.lif(self.fc(chunk.flatten(0, 1) if folded else chunk)))
        self.heard = torch.cat(made, 0)
        return self.out(self.heard)


def right(model: Loop, x: Tensor, steps: int, **options: Any) -> None:
    """Two passes have that many steps, and rates and updates of as many."""
    with Monitor(model, **options) as monitor:
        for _ in range(2):
            picojoule.reset_states(model)
            model(x)
            assert (monitor.report().samples, monitor.report().num_timesteps) == (B, steps)
            assert monitor.neuron_updates["lif"].item() == 5
            spikes = model.heard.sum().item()
            assert monitor.synops["out"].item() == pytest.approx(spikes * 2 / (B * steps))
            rates = monitor.rates["lif"].sum().item()
            assert rates == pytest.approx(spikes / (B * steps), rel=1e-5)
    assert monitor.warnings == ()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    "said",
    [{}, {"time_axis": "loop"}, {"time_axis": "bt"}, {"num_timesteps": T}, {"samples": B}],
    ids=str,
)
def test_our_layers_in_a_loop_have_a_step_a_call(name: str, said: dict[str, Any]) -> None:
    right(Loop(LAYERS[name]()), 3 * torch.rand(B, T, 4), T, **said)


def test_each_step_by_itself() -> None:
    model, x = Loop(IAF()), 3 * torch.rand(B, T, 4)
    with Monitor(model, detail=("sample", "step")) as monitor:
        model(x)
    by_step = model.heard.unflatten(0, (T, B)).mean((2, 3)).T
    assert by_step.sum() > 0
    assert torch.allclose(monitor.rates.detail["lif"], by_step)


def test_a_picture_of_one_step_that_a_loop_repeats_or_layers_share_is_asked_for() -> None:
    model, x = Loop(IAF(), times=3), 3 * torch.rand(B, 1, 4)
    words = (
        "'lif' was called several times.*over 3 time steps in all.*taken for 1. Pass num_timesteps="
    )
    with Monitor(model), pytest.warns(MonitorWarning, match=words):
        model(x)
    for said, steps in (({"num_timesteps": 3}, 3), ({"time_axis": "loop"}, 3)):
        right(Loop(IAF(), times=3), x, steps, **said)
    with Monitor(Loop(IAF(), times=3), num_timesteps=1) as monitor:
        monitor.model(x)
    assert (monitor.report().samples, monitor.report().num_timesteps) == (B, 1)
    assert monitor.warnings == ()


def test_several_steps_a_call_that_go_on_are_asked_for() -> None:
    model, x = Loop(IAF(), steps=2), 3 * torch.rand(B, T, 4)
    words = (
        "'lif' was called several times.*over 4 time steps in all.*taken for 2. Pass num_timesteps="
    )
    with Monitor(model), pytest.warns(MonitorWarning, match=words):
        model(x)
    for said in ({"num_timesteps": T}, {"time_axis": "loop"}):
        right(Loop(IAF(), steps=2), x, T, **said)


def test_calls_that_start_anew_are_other_sequences() -> None:
    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(4, 5), IAF()

        def forward(self, x: Tensor) -> list[Tensor]:
            made = []
            for _ in range(2):
                self.lif.reset_states()
                made.append(self.lif(self.fc(x)))
            return made

    for steps in (1, T):
        model = Twins()
        with Monitor(model) as monitor:
            model(torch.ones(B, steps, 4))
        assert (monitor.report().samples, monitor.report().num_timesteps) == (B, steps)
        assert monitor.warnings == ()


def test_a_call_a_step_from_outside_is_as_it_was() -> None:
    model = Loop(IAF())
    with Monitor(model, time_axis="outer") as monitor:
        for now in torch.ones(T, B, 1, 4):
            model(now)
    assert (monitor.report().samples, monitor.report().num_timesteps) == (B, T)


def test_layers_in_a_plain_list_are_told_apart() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lifs = nn.Linear(4, 4), [IAF(), IAF()]

        def forward(self, x: Tensor) -> Tensor:
            steps = x.split(1, 1)
            return torch.cat([self.lifs[1](self.fc(self.lifs[0](now))) for now in steps], 1)

    model = Listed()
    with Monitor(model) as monitor:
        model(torch.ones(B, T, 4))
    assert (monitor.report().samples, monitor.report().num_timesteps) == (B, T)


class BySinabs(nn.Module):
    """`b t n`."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = pytest.importorskip("sinabs.layers").IAF()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.lif(now) for now in x.split(1, 1)], 1)


class BySpikingJelly(nn.Module):
    """`b t n`; the neuron has time first."""

    def __init__(self) -> None:
        super().__init__()
        neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
        self.lif = neuron.IFNode(step_mode="m")

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.lif(now) for now in x.transpose(0, 1).split(1, 0)], 0)


class ByNorse(nn.Module):
    """The same; the caller hands the state on."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = pytest.importorskip("norse.torch").LIF()

    def forward(self, x: Tensor) -> Tensor:
        state: Any = None
        made = []
        for now in x.transpose(0, 1).split(1, 0):
            s, state = self.lif(now, state)
            made.append(s)
        return torch.cat(made, 0)


class Own(nn.Module):
    """`b t n`, of the user's."""

    potential: Any = 0.0

    def forward(self, x: Tensor) -> Tensor:
        made = []
        for now in x.unbind(1):
            self.potential = self.potential + now
            made.append((self.potential >= 1).float())
            self.potential = self.potential - made[-1]
        return torch.stack(made, 1)


class ByTheUser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lif = Own()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.lif(now) for now in x.split(1, 1)], 1)


@pytest.mark.filterwarnings("ignore:(?!Monitor)")
@pytest.mark.parametrize("kind", [BySinabs, BySpikingJelly, ByNorse, ByTheUser])
def test_layers_of_others_in_a_loop_have_a_step_a_call(kind: type[nn.Module]) -> None:
    model = kind()
    said: dict[str, Any] = {"spiking": [Own], "time_axis": "bt"} if kind is ByTheUser else {}
    with Monitor(model, **said) as monitor:
        for _ in range(2):
            model(2 * torch.rand(B, T, 5))
            assert (monitor.report().samples, monitor.report().num_timesteps) == (B, T)
            assert monitor.neuron_updates["lif"].item() == 5
    assert monitor.warnings == ()


# ---- a cell without a state of its own


class Cell(nn.Module):
    def forward(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        v = v + x
        s = (v >= 1).float()
        return s, v - s


class Shared(nn.Module):
    """`b t n`: two layers of `widths` neurons by one cell."""

    def __init__(self, widths: tuple[int, int]) -> None:
        super().__init__()
        first, second = widths
        self.fc1, self.fc2, self.head = (
            nn.Linear(3, first),
            nn.Linear(first, second),
            nn.Linear(second, 2),
        )
        self.cell, self.widths = Cell(), widths
        for layer in (self.fc1, self.fc2):
            nn.init.constant_(layer.weight, 0.2)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        v1, v2 = (torch.zeros(len(x), width) for width in self.widths)
        self.fired, out = [torch.zeros(()), torch.zeros(())], x.new_zeros(())
        for now in x.unbind(1):
            s1, v1 = self.cell(self.fc1(now), v1)
            s2, v2 = self.cell(self.fc2(s1), v2)
            self.fired = [self.fired[0] + s1.sum(), self.fired[1] + s2.sum()]
            out = out + self.head(s2)
        return out


@pytest.mark.parametrize("widths", [(6, 3), (6, 6)], ids=str)
@pytest.mark.parametrize("sure", [False, True])
def test_a_cell_that_two_layers_share(widths: tuple[int, int], sure: bool) -> None:
    model, x = Shared(widths), torch.ones(B, T, 3)
    said = {"time_axis": "loop"} if sure else {}
    words = "'cell' was called 8 times, as 2 layers.*4 time steps are taken.*Pass num_timesteps="
    monitor, heard = Monitor(model, spiking=[Cell], **said), list[str]()  # type: ignore[arg-type]
    for steps in (T, T, T - 1):  # of passes that remember what was seen, too
        with warnings.catch_warnings(record=True) as caught, monitor:
            warnings.simplefilter("always")
            model(x[:, :steps])
        heard += [str(each.message) for each in caught]
        assert monitor.report().num_timesteps == steps
        assert len(monitor.warnings) == 1
        fired = [each.item() for each in model.fired]
        assert min(fired) > 0
        neurons = [width * B * steps for width in widths]
        rate = sum(fired) / sum(neurons)
        assert monitor.rates["cell"].mean().item() == pytest.approx(rate)
        assert monitor.neuron_updates["cell"].item() == sum(widths)
    assert re.search(words, heard[0])
    assert len(heard) == 2  # of 8 and of 6 calls
    with Monitor(model, spiking=[Cell], num_timesteps=T) as monitor:
        model(x)
    assert monitor.report().num_timesteps == T
    assert monitor.warnings == ()


def test_a_cell_of_several_layers_beside_one_of_its_own() -> None:
    class Beside(Shared):
        def __init__(self) -> None:
            super().__init__((6, 6))
            self.last = Cell()

        def forward(self, x: Tensor) -> Tensor:
            v: Any = torch.zeros(len(x), 2)
            w1, w2 = (torch.zeros(len(x), 6) for _ in range(2))
            for now in x.unbind(1):
                s, w1 = self.cell(self.fc1(now), w1)
                s, w2 = self.cell(self.fc2(s), w2)
                s, v = self.last(self.head(s), v)
            return v

    model = Beside()
    with (
        Monitor(model, spiking=[Cell], time_axis="loop") as monitor,
        pytest.warns(MonitorWarning, match="as 2 layers"),
    ):
        model(torch.ones(B, T, 3))
    assert monitor.report().num_timesteps == T


def test_a_sequence_that_begins_anew_is_asked_for_and_counted_as_it_was() -> None:
    class Views(Shared):
        def __init__(self) -> None:
            super().__init__((6, 6))

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(2):
                v = torch.zeros(len(x), 6)
                for now in x.unbind(1):
                    s, v = self.cell(self.fc1(now), v)
            return self.head(self.fc2(s))

    model = Views()
    with (
        Monitor(model, spiking=[Cell], time_axis="loop") as monitor,
        pytest.warns(MonitorWarning, match="as 2 layers or sequences.*8 time steps are taken"),
    ):
        model(torch.ones(B, T, 3))
    assert monitor.report().num_timesteps == 2 * T


def test_a_state_that_is_changed_between_the_calls_is_one_layer() -> None:
    class Cuts(Shared):
        def __init__(self) -> None:
            super().__init__((6, 6))

        def forward(self, x: Tensor) -> Tensor:
            v, out = torch.zeros(len(x), 6), x.new_zeros(())
            for now in x.unbind(1):
                s, v = self.cell(self.fc1(now), v.detach() * 0.9)
                out = out + self.fc2(s)
            return self.head(out)

    model = Cuts()
    with Monitor(model, spiking=[Cell], time_axis="loop") as monitor:
        model(torch.ones(B, T, 3))
    assert monitor.report().num_timesteps == T
    assert monitor.warnings == ()
