"""Samples and time steps of neurons that nobody knows: found by what they do, taken as given, or asked for."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Monitor
from picojoule.synops import MonitorWarning
from tests.synops.multi_step import (
    B,
    BatchFirst,
    C,
    Chunked,
    Folded,
    H,
    HandedBack,
    InBatchFirst,
    InFolded,
    InLoop,
    InLoopWithState,
    InTimeLast,
    Net,
    OneStep,
    Sliced,
    T,
    TimeFirst,
    TimeLast,
    Unbound,
    spike,
)

NETS: dict[str, tuple[type[Net], type[nn.Module], str | None]] = {
    "time first": (Net, TimeFirst, "tb"),
    "unbound": (Net, Unbound, "tb"),
    "batch first": (InBatchFirst, BatchFirst, "bt"),
    "time last": (InTimeLast, TimeLast, "last"),
    "folded": (InFolded, Folded, None),
    "folded and sliced": (InFolded, Sliced, None),
    "folded and chunked": (InFolded, Chunked, None),
    "a step a call": (InLoop, OneStep, "loop"),
    "a step a call, with state": (InLoopWithState, HandedBack, "loop"),
}


def right(model: Net, x: Tensor, **options: Any) -> Monitor:
    """Watches, and holds samples, steps, SynOps, updates and rates against what is known of the model."""
    model.heard.clear()
    with Monitor(model, **options) as monitor:
        model(x)
    unit = getattr(model.second, "threshold", 1.0)
    spikes = sum(h.sum().item() for h in model.heard) / unit
    assert spikes > 0
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == (len(x), T)
    assert monitor.synops.per_sample["head"].item() * len(x) == pytest.approx(2 * spikes)
    assert monitor.synops["head"].item() * len(x) * T == pytest.approx(2 * spikes)
    assert monitor.macs.total.item() == 0
    updates = {name: n.item() for name, n in monitor.neuron_updates.per_sample.items()}
    assert updates == {"first": C * H * T, "second": 7 * T}
    assert monitor.rates["second"].sum().item() * len(x) * T == pytest.approx(spikes)
    return monitor


def built(name: str) -> tuple[Net, Tensor, type[nn.Module], str | None]:
    kind, neuron, axis = NETS[name]
    torch.manual_seed(0)
    model = kind(neuron)
    with torch.no_grad():
        model.mix.weight.abs_()
    return model, torch.rand(B, C, H), neuron, axis


@pytest.mark.parametrize("name", NETS)
def test_they_are_found_and_said_to_be(name: str) -> None:
    model, x, neuron, _ = built(name)
    with pytest.warns(MonitorWarning, match=rf"'first' \({neuron.__name__}\).*Pass spiking="):
        monitor = right(model, x)
    assert len(monitor.warnings) == 1
    assert monitor.report().warnings == monitor.warnings
    assert "Pass spiking=" in monitor.report().to_text()


@pytest.mark.parametrize("name", NETS)
def test_what_is_given_is_taken_and_nothing_is_said(name: str) -> None:
    model, x, neuron, axis = built(name)
    for options in (
        {},
        {"num_timesteps": T},
        {"samples": B},
        {"samples": B, "num_timesteps": T},
        {"time_axis": axis},
        {"time_axis": axis, "num_timesteps": T},
    ):
        assert right(model, x, spiking=[neuron], **options).warnings == ()
        assert right(model, x, spiking=["first", "second"], **options).warnings == ()


@pytest.mark.parametrize("name", NETS)
def test_a_wrong_word_on_the_input_does_not_undo_what_was_seen(name: str) -> None:
    model, x, neuron, _ = built(name)
    right(model, x, spiking=[neuron], time_axis="loop", num_timesteps=T)


def test_a_warning_comes_once_a_monitor_and_every_pass_is_right() -> None:
    model, x, *_ = built("time first")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Monitor(model) as monitor:
            for samples in (1, 2, 3):
                model(x[:samples])
                assert monitor.report().samples == samples
    assert [w.category for w in caught] == [MonitorWarning]


def test_passes_that_add_up_say_it_once() -> None:
    model, x, *_ = built("time first")
    with Monitor(model, accumulate=True) as monitor:
        with pytest.warns(MonitorWarning):
            model(x)
        model(x[:2])
    assert monitor.report().samples == B + 2
    assert len(monitor.warnings) == 1


# ---- by their names


def named(kind: type[nn.Module], *names: str, **attributes: Any) -> type[nn.Module]:
    """The class under a name of its own, its bases by the other names."""
    for name in reversed(names):
        kind = type(name, (kind,), dict(attributes))
    return kind


class Opaque(TimeFirst):
    """What a kernel of somebody's own does: no function shows its loop."""

    def forward(self, x: Tensor) -> Tensor:
        v = x.cumsum(0)
        return spike(v - 0.8) * 1.0


@pytest.mark.parametrize(
    "neuron",
    [
        named(Opaque, "MultiStepLIFNode"),
        named(Opaque, "MultiStepParametricLIFNode", "ParametricLIFNode", "BaseNode"),
        named(Opaque, "mem_update"),
        named(Opaque, "MyLIF", "BaseNode", step_mode="m"),
    ],
    ids=lambda kind: kind.__name__,
)
def test_families_are_known_by_name(neuron: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = Net(neuron)
    with torch.no_grad():
        model.mix.weight.abs_()
    assert right(model, torch.rand(B, C, H)).warnings == ()


def test_a_name_alone_is_no_proof() -> None:
    """Of a class with a name of a family, what it is seen to do goes first."""
    torch.manual_seed(0)
    model = InBatchFirst(named(BatchFirst, "MultiStepLIFNode"))
    with torch.no_grad():
        model.mix.weight.abs_()
    right(model, torch.rand(B, C, H))


def test_time_that_is_folded_by_the_attributes_of_braincog() -> None:
    class Node(Opaque):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.unflatten(0, (T, -1))).flatten(0, 1)

    torch.manual_seed(0)
    model = InFolded(named(Node, "LIFNode", "BaseNode", layer_by_layer=True, step=T))
    with torch.no_grad():
        model.mix.weight.abs_()
    right(model, torch.rand(B, C, H))


# ---- what cannot be known is asked for


def test_opaque_neurons_look_like_neurons_until_they_are_named() -> None:
    torch.manual_seed(0)
    model, x = Net(Opaque), torch.rand(B, C, H)
    with (
        pytest.warns(MonitorWarning, match=r"look like neurons.*'first' \(Opaque\)"),
        Monitor(model),
    ):
        model(x)
    with (
        Monitor(model, spiking=[Opaque]),
        pytest.warns(MonitorWarning, match="called once.*time_axis="),
    ):
        model(x)
    assert right(model, x, spiking=[Opaque], time_axis="tb").warnings == ()


class Functional(nn.Module):
    """No module spikes; the sequence `t b n` has its time first."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.head = nn.Linear(H, 7), nn.Linear(7, 2)

    def forward(self, x: Tensor) -> Tensor:
        v: Any = 0.0
        out = []
        for x_t in x:
            v = 0.5 * v + self.mix(x_t)
            out.append(self.head(spike(v - 0.1)))
        return torch.stack(out)


def test_spikes_that_no_layer_makes_are_a_warning() -> None:
    model, x = Functional(), torch.rand(T, B, H)
    with (
        Monitor(model) as monitor,
        pytest.warns(MonitorWarning, match="no spiking layer was recognised.*num_timesteps="),
    ):
        model(x)
    with Monitor(model, time_axis="tb") as monitor:
        model(x)
    assert (monitor.report().samples, monitor.report().num_timesteps) == (B, T)
    # still true, and in the report
    assert "updates and firing rates are unknown" in monitor.warnings[0]


@pytest.mark.parametrize("inputs", ["auto", "spikes", "dense"])
def test_models_without_spikes_of_their_own_say_nothing(inputs: Any) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(8, 2)
    )
    for x in (torch.rand(2, 1, 4, 4), torch.ones(2, 1, 4, 4)):
        with Monitor(model, inputs=inputs) as monitor:
            model(x)
        assert monitor.warnings == ()


class Activation(nn.Module):
    """A binary activation, used at three places: no time, and not three steps."""

    def forward(self, x: Tensor) -> Tensor:
        return spike(x)


def test_an_activation_is_not_taken_for_a_neuron() -> None:
    act = Activation()
    model = nn.Sequential(nn.Linear(5, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 4), act)
    with (
        Monitor(model) as monitor,
        pytest.warns(MonitorWarning, match=r"look like neurons.*'1' \(Activation\)"),
    ):
        model(torch.rand(B, 5))
    assert (monitor.report().samples, monitor.report().num_timesteps) == (B, 1)


def test_steps_that_layers_disagree_on() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slow, self.fast = TimeFirst(), TimeFirst()

        def forward(self, x: Tensor) -> Tensor:
            return self.slow(x).sum() + self.fast(x[:2]).sum()

    words = "'slow' has 4 time steps and 'fast' has 2.*num_timesteps="
    with Monitor(Two(), spiking=[TimeFirst]) as monitor, pytest.warns(MonitorWarning, match=words):
        monitor.model(torch.rand(T, B, H))
    assert monitor.report().num_timesteps == T


# ---- options alone


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"samples": 2}, (2, 1)),
        ({"samples": 2, "num_timesteps": 3}, (2, 3)),
        ({"samples": 2, "time_axis": "folded"}, (2, 3)),
        ({"num_timesteps": 3, "time_axis": "folded"}, (2, 3)),
        ({"num_timesteps": 3, "time_axis": "loop"}, (6, 3)),
        ({"time_axis": "bt"}, (6, 5)),
        ({"time_axis": "tb"}, (5, 6)),
        ({"time_axis": "last"}, (6, 4)),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Monitor. the input begins with")
def test_what_the_input_is_said_to_hold(options: Any, expected: tuple[int, int]) -> None:
    model = nn.Linear(4, 2)
    with Monitor(model, **options) as monitor:
        model(torch.ones(6, 5, 4))
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == expected
    assert report.synops_per_sample * report.samples == pytest.approx(6 * 5 * 4 * 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_timesteps": 3}, "taken to be in the first axis.*time_axis="),
        ({"samples": 2}, "begins with 6 entries of 2 samples.*num_timesteps="),
    ],
)
def test_half_of_what_is_needed_is_warned_of(options: Any, words: str) -> None:
    model = nn.Linear(4, 2)
    with Monitor(model, **options), pytest.warns(MonitorWarning, match=words):
        model(torch.ones(6, 4))


def test_steps_that_the_model_makes_are_seen_in_what_its_layers_get() -> None:
    class Repeats(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(H, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.repeat(T, 1)).unflatten(0, (T, -1)).mean(0)

    model = Repeats()
    for samples in (T, B):  # a multiple of the steps, too, is not divided by them
        with Monitor(model, num_timesteps=T) as monitor:
            model(torch.ones(samples, H))
        assert (monitor.report().samples, monitor.report().num_timesteps) == (samples, T)


@pytest.mark.parametrize("samples", [0, -1, 1.5, "two"])
def test_samples_are_a_whole_number(samples: Any) -> None:
    with pytest.raises(ValueError, match=r"samples is .*expected a whole number >= 1"):
        Monitor(nn.Linear(3, 2), samples=samples)


def test_samples_that_do_not_divide_the_input_are_refused() -> None:
    model = nn.Linear(3, 2)
    with (
        Monitor(model, samples=4, time_axis="folded"),
        pytest.raises(ValueError, match="samples is 4"),
    ):
        model(torch.ones(10, 3))


def test_the_same_numbers_by_detail() -> None:
    model, x, neuron, _ = built("time first")
    monitor = right(model, x, spiking=[neuron], detail=("sample", "step"))
    (heard,) = model.heard
    assert torch.equal(monitor.synops.detail["head"], 2 * heard.sum(-1).T)


def test_a_call_a_step_contradicts_a_layer_that_takes_several() -> None:
    model = nn.Sequential(nn.Linear(12, 20), picojoule.layers.IAF())
    with (
        pytest.raises(ValueError, match=r"time_axis is 'outer'.*layer '1' got 4 samples of 20"),
        Monitor(model, time_axis="outer"),
    ):
        model(torch.ones(4, 12))  # 20 neurons, which the layer takes for steps
    picojoule.reset_states(model)
    with Monitor(model, time_axis="outer") as monitor:
        for _ in range(3):
            model(torch.ones(4, 1, 12))
    assert monitor.report().num_timesteps == 3


# ---- folded time, as the guide has it


class Binary(nn.Module):
    """Shows neither samples nor time."""

    def forward(self, x: Tensor) -> Tensor:
        return spike(x - 0.3)


class WithABatchSize(Binary):
    batch_size = 32  # of its training, say


@pytest.mark.parametrize("neuron", [Binary, WithABatchSize])
@pytest.mark.parametrize(
    "said", [{"num_timesteps": T}, {"samples": B}, {"num_timesteps": T, "samples": B}], ids=str
)
def test_neurons_that_tell_nothing_of_folded_time(neuron: type[nn.Module], said: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), neuron(), nn.Linear(4, 2))
    with Monitor(model, spiking=[neuron], time_axis="folded", **said) as monitor:
        for _ in range(2):
            out = model[1](model[0](torch.ones(B * T, 3)))
            model(torch.ones(B * T, 3))
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == (B, T)
    assert monitor.synops.per_sample["2"].item() * B == out.sum().item() * 2
    assert monitor.neuron_updates.per_sample["1"].item() == 4 * T
    assert monitor.rates["1"].tolist() == out.mean(0).tolist()
    assert monitor.warnings == ()


def test_folded_time_that_nobody_tells_is_asked_for() -> None:
    model = nn.Sequential(nn.Linear(3, 4), Binary(), nn.Linear(4, 2))
    with (
        Monitor(model, spiking=[Binary], time_axis="folded"),
        pytest.raises(ValueError, match=r"no layer says.*Pass num_timesteps= or samples="),
    ):
        model(torch.ones(B * T, 3))
    with (
        Monitor(model, spiking=[Binary], time_axis="folded", num_timesteps=5),
        pytest.raises(ValueError, match="num_timesteps is 5, but the forward pass had 12"),
    ):
        model(torch.ones(B * T, 3))
