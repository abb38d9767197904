"""What a user may hand over by mistake is taken for what it is, or refused by name before anything runs."""

from __future__ import annotations

import copy
import math
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import events, layers
from picojoule.events import ChipLimits
from tests.events.networks import HALVED, network
from tests.events.recordings import DT_US, sample, streamed
from tests.events.test_threads import loud

KINDS: dict[str, dict[str, Any]] = {
    "never": {"dense": "never"},
    "always": {"dense": "always"},
    "depth": {"order": "depth"},
}


def net(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(
        *(parts or (nn.Linear(3, 4), layers.IAF(), nn.Linear(4, 2), layers.LIF(HALVED)))
    )


def x(*shape: int) -> Tensor:
    return torch.ones(shape or (2, 5, 3))


# ---- an input


@pytest.mark.parametrize("kind", KINDS)
def test_an_input_is_the_same_in_whatever_memory_and_mode(kind: str) -> None:
    model, given = loud("leak")
    made = events.compile(model, given, **KINDS[kind])
    expected = made(given)
    assert expected.any()

    def found(same: Tensor, own: Any = made) -> Tensor:
        own.reset()
        output: Tensor = own(same)
        assert (output.dtype, output.device.type) == (torch.float32, "cpu")
        assert not output.requires_grad
        assert not output.is_inference()
        return output

    wide = torch.zeros(2, 6, 30)
    wide[..., ::3] = given
    for same in (
        given.transpose(0, 2).contiguous().transpose(0, 2), wide[..., ::3], given.clone().requires_grad_(),
        nn.Parameter(given), torch.complex(0 * given, -given).conj().imag, given.to_sparse(),
    ):  # fmt: skip
        assert torch.equal(found(same), expected)
    assert torch.equal(found(given[:1].expand(2, -1, -1)), expected[:1].expand(2, -1, -1))
    assert torch.equal(found(given[:, :1]), expected[:, :1])
    for mode in (
        torch.inference_mode(),
        torch.autocast("cpu", dtype=torch.bfloat16),
        torch.enable_grad(),
    ):
        with mode:
            assert torch.equal(found(given), expected)
            fresh = events.compile(model, given, **KINDS[kind])
            assert torch.equal(found(given, fresh), expected)
        assert torch.equal(found(given, fresh), expected)  # and outside again
        assert fresh.report().samples == 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_of_new_tensors_play_no_part(kind: str) -> None:
    model, given = loud("recurrent") if kind != "depth" else loud("leak")
    made = events.compile(model, given, **KINDS[kind])
    expected = made(given)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(events.compile(model, given, **KINDS[kind])(given), expected)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.device("meta"):
        assert torch.equal(events.compile(model, given, **KINDS[kind])(given), expected)


@pytest.mark.parametrize("dense", ["never", "always"])
def test_states_at_rest_are_float32_whatever_the_default(dense: Literal["never", "always"]) -> None:
    model, given = loud("leak")
    made = events.compile(model, given, dense=dense)
    expected = made(given)
    made.reset()
    torch.set_default_dtype(torch.float64)
    try:
        at_rest = [value for states in made.states().values() for value in states.values()]
        assert torch.equal(made(given), expected)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {value.dtype for value in at_rest} == {torch.float32}


def test_neurons_of_another_precision_than_the_weights_run_in_float32() -> None:
    model = net(
        nn.Linear(3, 4, bias=False),
        layers.IAF().double(),
        nn.Linear(4, 2, bias=False),
        layers.IAF(),
    )
    for parameter in (model[0].weight, model[2].weight):
        nn.init.constant_(parameter, 0.5)
    outputs = [events.compile(model, x(), dense=dense)(x()) for dense in ("never", "always")]
    assert outputs[0].any()
    assert torch.equal(*outputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (x().double(), TypeError, r"is torch.float64, expected a float32 tensor.*call x.float\(\)"),
        (x().bfloat16(), TypeError, "is torch.bfloat16"),
        (x().int(), TypeError, "is torch.int32"),
        (x().numpy(), TypeError, "is ndarray, expected a float32 tensor"),
        (x().to("meta"), ValueError, r"is on the device meta, .*runs on the CPU: call x.cpu\(\)"),
        (x()[0], ValueError, r"has shape \(5, 3\), expected \(batch, time, 3\)"),
        (x(2, 5, 4), ValueError, r"has shape \(2, 5, 4\)"),
        (torch.tensor(1.0), ValueError, r"has shape \(\)"),
        (x() * math.nan, ValueError, "finite"),
        (x() * -math.inf, ValueError, "finite"),
    ],
)
def test_an_input_that_is_none_is_refused_and_nothing_runs(
    kind: str, given: Any, error: type[Exception], message: str
) -> None:
    made = events.compile(net(), x(), **KINDS[kind])
    with pytest.raises(error, match=f"{type(made).__name__}: .*{message}|finite"):
        made(given)
    assert made.report().samples == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("batch", [2, 3])  # as many samples as before, and others
@pytest.mark.parametrize("kind", ["where quicker", *KINDS])
def test_a_value_that_is_not_finite_leaves_states_and_counts_as_they_were(
    kind: str, batch: int, bad: float
) -> None:
    made = events.compile(net(), x(), **KINDS.get(kind, {}))
    made(x())
    other = copy.deepcopy(made)
    given = x(batch, 5, 3)
    given[1, 4, 2] = bad
    with pytest.raises(ValueError, match="finite"):
        made(given)
    assert made.report().samples == 2
    assert torch.equal(made(x()), other(x()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folded_axis_that_does_not_divide_says_what_it_was_compiled_for(kind: str) -> None:
    model, given = network("lenet")
    with pytest.raises(
        ValueError, match=r"7 entries .*compiled for batch_size=2.*compile the model again"
    ):
        events.compile(model, given, **KINDS[kind])(given[:7])


@pytest.mark.parametrize("kind", KINDS)
def test_no_samples_and_no_steps_give_nothing(kind: str) -> None:
    made = events.compile(net(), x(), **KINDS[kind])
    made(x())
    for given in (x()[:0], x()[:, :0], x()[:0, :0]):
        assert made(given).shape == (*given.shape[:2], 2)
        assert {count.shape for count in made.synops.values()} == {given.shape[:2]}
        assert made.peak_synops_per_second(dt_s=1) == {"0": 0, "2": 0}
    assert made.report().samples == 2  # what took no step is none


def test_more_steps_than_can_be_are_refused_at_once() -> None:
    network = events.compile(nn.Sequential(nn.Linear(2, 2), layers.IAF()), torch.zeros(1, 3, 2))
    one = {"t": [1], "x": [1], "y": [0], "p": [0]}
    with pytest.raises(ValueError, match="steps is 1,000,000,000, expected at most"):
        network.run_events(one, dt_us=10, steps=10**9)
    with pytest.raises(ValueError, match=r"no neurons '0'\. Did you mean '1'"):
        network.states("0")
    with pytest.raises(TypeError, match=r"got EventNetwork, .*network\.report\(\)"):
        picojoule.Monitor(network)  # type: ignore[arg-type]


def test_engines_of_many_lengths_are_not_all_kept() -> None:
    made = events.compile(net(), x(), dense="never")
    for steps in range(1, 60):
        made(x(1, steps, 3))
    assert len(made._engines) < 20


# ---- a model and its sample


@pytest.mark.parametrize("options", [{}, {"order": "depth"}])
@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (net(), None, "the sample is NoneType, expected a tensor"),
        (net(), x().numpy(), "the sample is ndarray"),
        (net(), x().double(), r"does not take the sample, of shape \(2, 5, 3\) and torch.float64"),
        (net(), x().int(), "does not take the sample"),
        (net(), x(2, 5, 4), r"does not take the sample, of shape \(2, 5, 4\)"),
        (net(), torch.tensor(1.0), r"does not take the sample, of shape \(\)"),
        (net(), x().to("meta"), r"the sample is on the device meta, .*runs on the CPU"),
        (net().to("meta"), x(), r"parameter '0.weight' is on the device meta, .*call model.cpu\(\)"),
        (None, x(), "the model is NoneType, expected a torch.nn.Module"),
        (lambda data: data, x(), "the model is function"),
        (net().bfloat16(), x().bfloat16(), "call model.float"),
        (net(layers.IAFRecurrent(nn.Linear(3, 3).double()).float(), nn.Linear(3, 3).double()), x(), "does not take"),
    ],
)  # fmt: skip
def test_what_is_no_model_or_sample_is_refused(
    model: Any, given: Any, message: str, options: dict[str, Any]
) -> None:
    with pytest.raises(
        (TypeError, ValueError, NotImplementedError), match=f"^events.compile: .*{message}"
    ):
        events.compile(model, given, **options)


@pytest.mark.parametrize(
    "given", [x()[:0], x()[:, :0], x()[:, :1], x() * math.nan, x().to_sparse()]
)
def test_a_sample_gives_no_more_than_its_shape(given: Tensor) -> None:
    for options in ({}, {"order": "depth"}):
        assert events.compile(net(), given, **options)(x()).shape == (2, 5, 2)


def changed(path: str, value: float, model: nn.Module | None = None) -> nn.Module:
    model = net() if model is None else model
    with torch.no_grad():
        dict(model.named_parameters())[path].view(-1)[-1] = value
    return model


def recurrent() -> nn.Module:
    return net(layers.IAFRecurrent(rec_connect=nn.Linear(3, 3)))


@pytest.mark.parametrize("options", [{}, {"order": "depth"}])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (changed("0.bias", math.nan), r"bias\[3\] of '0' \(Linear\) is nan, expected finite biases"),
        (changed("2.bias", -math.inf), r"bias\[1\] of '2' \(Linear\) is -inf"),
        (changed("1.spike_threshold", math.nan), r"layer '1' \(IAF\): spike_threshold is nan"),
        (changed("1.spike_threshold", 0.0), r".*spike_threshold is 0"),
        (changed("1.spike_threshold", -1.0), r".*spike_threshold is -1"),
        (changed("3.tau_mem", math.nan), r"layer '3' \(LIF\): tau_mem is nan"),
        (changed("3.tau_mem", 0.0), r".*tau_mem is 0"),
        (changed("0.rec_connect.weight", math.nan, recurrent()), r"weight\[2, 2\] of '0.rec_connect' \(Linear\) is nan"),
        (changed("0.rec_connect.bias", math.inf, recurrent()), r"bias\[2\] of '0.rec_connect'"),
    ],
)  # fmt: skip
def test_a_number_of_the_model_that_is_none_is_named(
    model: nn.Module, message: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"^events.compile: {message}"):
        events.compile(model, x(), **options)


# ---- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": None}, "order is None"),
        ({"leak": 3}, "leak is 3"),
        ({"arrival": "none"}, "arrival is 'none'"),
        ({"leak": "tick", "tick_steps": 0}, "tick_steps is 0, expected 1 or more"),
        ({"leak": "tick", "tick_steps": 1.5}, "tick_steps is 1.5, expected a whole number"),
        ({"leak": "tick", "tick_steps": "1"}, "tick_steps is '1', expected a whole number"),
        ({"leak": "tick", "tick_steps": 2**63}, "tick_steps is 9223372036854775808, expected 1 or"),
        ({"limits": 8}, "limits is 8, expected ChipLimits"),
        ({"limits": {"weight_bits": 8}}, "limits is {'weight_bits': 8}, expected ChipLimits"),
    ],
)
def test_an_option_that_is_none_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        events.compile(net(), x(), **({"order": "depth"} | options))
    if options != {"order": None}:
        with pytest.raises((TypeError, ValueError), match=message):
            events.gap(net(), [(x(), torch.tensor([0, 1]))], **options)


@pytest.mark.parametrize(
    "limits",
    [
        {"weight_bits": 8.5}, {"weight_bits": "8"}, {"weight_bits": True}, {"weight_bits": 1}, {"queue_length": 0}, {"queue_length": 1.5},
        {"queue_length": 2**63}, {"decimate": 0}, {"decimate": "a"}, {"decimate": 1.5}, {"decimate": None}, {"decimate": {"1": 0}},
        {"decimate": {"1": 0.5}}, {"weight_bits": 8, "state_bits": 0}, {"one_threshold_per_layer": None},
    ],
)  # fmt: skip
def test_limits_that_are_none_are_refused(limits: dict[str, Any]) -> None:
    name = list(limits)[-1]
    with pytest.raises((TypeError, ValueError), match=f"^ChipLimits: {name} is .*expected"):
        ChipLimits(**limits)


# ---- the gap

LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ([], {}, "data has no samples"),
        ([(x()[:0], LABELS[:0])], {}, "data has no samples"),
        (None, {}, "data is NoneType, expected batches"),
        (x(), {}, "data gives Tensor, expected pairs"),
        ([(x(), LABELS, 1)], {}, "data gives 3 things, expected pairs"),
        ([(x(), LABELS[:, None])], {}, r"labels have shape \(2, 1\), expected \(2,\)"),
        ([(x(), LABELS[:1])], {}, r"labels have shape \(1,\), expected \(2,\)"),
        ([(x(), torch.eye(2))], {}, r"labels have shape \(2, 2\)"),
        ([(x(), LABELS + 0.5)], {}, "labels are torch.float32, expected whole numbers"),
        ([(x(), LABELS + 7)], {}, "there is a label 7 of sample 0, expected 0 to 1"),
        ([(x(), LABELS - 1)], {}, "label -1 of sample 0"),
        ([(x()[0], LABELS)], {}, r"frames have shape \(5, 3\), expected \(batch, time, \.\.\.\)"),
        (
            [(x(), LABELS), (x(2, 5, 4), LABELS)],
            {},
            r"frames of shape \(4,\) a step, expected \(3,\)",
        ),
        ([(x() * math.nan, LABELS)], {}, "finite"),
        ([(x()[0], 0), (x()[0, :2], 0)], {}, r"samples of shapes \(5, 3\) and \(2, 3\)"),
        ([(x()[0], "cat")], {}, "label 'cat', expected a whole number"),
        ([(x()[0], 0.5)], {}, "label 0.5, expected a whole number"),
        ([(x()[0], 0)], {"batch_size": 0}, "batch_size is 0, expected 1 or more"),
        ([(x()[0], 0)], {"batch_size": 1.5}, "batch_size is 1.5, expected a whole number"),
        ([(x(), LABELS)], {"readout": "spikes"}, "readout is 'spikes', expected one of"),
        ([(x(), LABELS)], {"order": "step"}, "order is 'step'"),
    ],
)
def test_what_the_gap_cannot_be_measured_on(
    data: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        events.gap(net(), data, **options)


def test_the_gap_passes_over_batches_of_none_and_takes_labels_of_any_whole_type() -> None:
    batches = [
        (x()[:0], LABELS[:0]),
        (x(), LABELS.to(torch.uint8)),
        (x().int(), LABELS.tolist()),
        (x()[:, :0], LABELS),
    ]
    assert events.gap(net(), batches).samples == 6
    assert events.gap(net(), [(x()[0], LABELS[0]), (x()[0], 1)]).samples == 2


# ---- peaks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt_s": 0}, "dt_s is 0"),
        ({"dt_s": math.nan}, "dt_s is nan"),
        ({"dt_s": "1"}, "dt_s is '1' and window_s '1', expected numbers"),
        ({"dt_s": None}, "dt_s is None"),
        ({"dt_s": 1, "window_s": 0.5}, "0.5 steps of 1 s"),
        ({"dt_s": 1, "window_s": math.inf}, "window_s inf"),
        ({"dt_s": 1, "by": "core"}, "by is 'core'"),
        ({"dt_s": 1, "by": ["0"]}, r"by is \['0'\]"),
        ({"dt_s": 1, "by": {"a": "0"}}, "core 'a' has '0', expected a list"),
        ({"dt_s": 1, "by": {"a": 3}}, "core 'a' has 3, expected a list"),
        ({"dt_s": 1, "by": {"a": ["0"], "b": ["0"]}}, "on the cores 'a' and 'b'"),
        ({"dt_s": 1, "by": {"a": ["9"]}}, "there is no layer '9'"),
    ],
)
@pytest.mark.parametrize("kind", ["never", "depth"])
def test_peaks_that_cannot_be_told(kind: str, options: dict[str, Any], message: str) -> None:
    made = events.compile(net(), x(), **KINDS[kind])
    made(x())
    with pytest.raises((TypeError, ValueError), match=message):
        made.peak_synops_per_second(**options)


def test_a_window_that_is_longer_than_all_there_is_takes_no_memory() -> None:
    made = events.compile(net(), x(), dense="never")
    made(x())
    longest = made.peak_synops_per_second(dt_s=torch.tensor(1.0).item(), window_s=1e12)
    assert longest == {
        name: count.sum(1).max().item() / 1e12 for name, count in made.synops.items()
    }
    alone = events.compile(net(layers.IAF()), x(), dense="never")
    alone(x())
    assert alone.peak_synops_per_second(dt_s=1) == {}


# ---- streams and recordings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peak_by": {"a": ["9"]}}, r"EventStream: .*there is no layer '9'; expected some of 0, 3"),
        ({"peak_window_us": 15}, "EventStream: peak_window_us is 15, 1.5 steps of dt_us = 10"),
        ({"peak_window_us": 0}, "peak_window_us is 0"),
        ({"longest_gap_us": 0}, "longest_gap_us is 0"),
        ({"longest_gap_us": "a"}, "longest_gap_us is 'a', expected a whole number"),
        ({"dt_us": 2**64}, "dt_us is 18446744073709551616"),
        ({"time_unit": 3}, "time_unit is 3"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_before_its_first_event(
    options: dict[str, Any], message: str
) -> None:
    made = events.compile(streamed("integrate and fire"), sample(), dense="never")
    with pytest.raises((TypeError, ValueError), match=message):
        made.stream(**({"dt_us": DT_US} | options))


@pytest.mark.parametrize("until_us", [-1, 1.5, "a", 2**64])
def test_a_time_that_is_none_is_refused(until_us: Any) -> None:
    stream = events.compile(streamed("integrate and fire"), sample(), dense="never").stream(
        dt_us=DT_US
    )
    with pytest.raises((TypeError, ValueError), match=r"EventStream\.flush: until_us is"):
        stream.flush(until_us)
    assert stream.steps == 0
