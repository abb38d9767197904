"""What cannot be compiled, or run, is said by name, and leaves all as it was."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import picojoule
from picojoule import Monitor, events, layers
from picojoule.events.network import Dense
from tests.events.networks import BATCH, STEPS, iaf, network, spikes


class Product(nn.Module):
    """Multiplies two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layers.IAF()

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * x


class Forward(nn.Module):
    """Neurons, and a function of what they give."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.function = layers.IAF(), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.layer(x))


def added_in_place(x: Tensor) -> Tensor:
    before = x
    x += x
    return before + x


def hooked() -> nn.Linear:
    layer = nn.Linear(3, 3)
    layer.register_forward_hook(lambda *_: None)
    return layer


class Doubled(nn.Identity):
    """Does something, whatever it is derived from."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class HalfDropped(nn.Dropout):
    """Does something in evaluation, too."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5


class Weighted(layers.Merge):
    """Adds what is no sum."""

    def forward(self, data1: Tensor, data2: Tensor) -> Tensor:
        return data1 + 2 * data2


class DoubledOfEachStep(layers.Repeat):
    """Doubles what the module gives out."""

    def forward(self, data: Tensor) -> Tensor:
        return 2 * super().forward(data)


class Merging(nn.Module):
    """Two ways, merged."""

    def __init__(self) -> None:
        super().__init__()
        self.merge, self.layer = Weighted(), layers.IAF()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(self.merge(x, x))
        return output


class Kept(nn.Identity):
    """Does nothing, as what it is derived from."""


def patched(model: nn.Sequential, name: str) -> nn.Sequential:
    """What a module gives out is three times what its class says."""
    module = model.get_submodule(name)
    own = module.forward
    module.forward = lambda x: 3 * own(x)  # type: ignore[method-assign]
    return model


REFUSED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "a layer without a kernel": (
        lambda: nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), layers.IAF()),
        (BATCH, STEPS, 3), r"'1' \(LayerNorm\) has no event-driven kernel",
    ),
    "a product of activations": (Product, (BATCH, STEPS, 3), "the forward of Product calls 'mul'"),
    "no neurons": (lambda: nn.Sequential(nn.Linear(3, 3)), (BATCH, STEPS, 3), "no spiking layer"),
    "a border that reflects": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), iaf()),
        (BATCH * STEPS, 1, 5, 5), "'0' .*padding_mode='reflect'",
    ),
    "double precision": (
        lambda: nn.Sequential(nn.Linear(3, 3), layers.IAF()).double(), (BATCH, STEPS, 3), r"'0' .*call model.float\(\)",
    ),
    "a feedback that is no plain Linear": (
        lambda: nn.Sequential(layers.LIFRecurrent(5.0, rec_connect=hooked())), (BATCH, STEPS, 3), "hears itself",
    ),
    "neurons of another kind": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), iaf(), layers.SpikingMaxPooling2dLayer(2), nn.Flatten()),
        (BATCH * STEPS, 1, 6, 6), "'2' .*no neuron of the engine's",
    ),
    "a max pooling of values": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), iaf()), (BATCH * STEPS, 1, 6, 6), "'1' .*may be negative",
    ),
    "half a Flatten": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), iaf(), nn.Flatten(2)), (BATCH * STEPS, 1, 6, 6), "'2' .*all axes of a step",
    ),
    "a window that is divided by less": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), iaf(), nn.AvgPool2d(2, padding=1, count_include_pad=False), nn.Conv2d(2, 1, 1), iaf()),
        (BATCH * STEPS, 1, 6, 6), "'2' .*differs from window to window",
    ),
    "a neuron in two places": (
        lambda: nn.Sequential(*[nn.Linear(3, 3), layers.IAF()] * 2), (BATCH, STEPS, 3), r"'1' \(IAF\) is used more than once",
    ),
    "two ideas of the batch": (
        lambda: nn.Sequential(nn.Linear(3, 3), iaf(), layers.IAFSqueeze(batch_size=1)), (BATCH * STEPS, 3),
        f"'2' takes the sample for 1 samples of {BATCH * STEPS} time steps, and layer '1' for {BATCH}",
    ),
    "time among the features": (
        lambda: nn.Sequential(layers.IAF(), nn.Flatten(1, 2), nn.Linear(3, 3)), (BATCH, STEPS, 4, 3), "'1' .*Flatten all of them",
    ),
    "an end of other axes": (
        lambda: Forward(lambda x: x.flatten(0, 1).unflatten(0, (STEPS, BATCH))), (BATCH, STEPS, 3), "gives out the shape",
    ),
    "a sum in place that is seen by another name": (
        lambda: Forward(added_in_place), (BATCH, STEPS, 3), r"in place .*Write y = x",
    ),
    "a view that is changed": (
        lambda: Forward(lambda x: torch.flatten(x, 2).add_(1.0 * x) + x), (BATCH, STEPS, 3), "the forward of Forward calls|in place",
    ),
    "an identity that does something": (
        lambda: nn.Sequential(nn.Linear(3, 3), Doubled(), layers.IAF()), (BATCH, STEPS, 3), "calls 'mul'",
    ),
    "a dropout that does something": (
        lambda: nn.Sequential(nn.Linear(3, 3), HalfDropped(), layers.IAF()), (BATCH, STEPS, 3), "calls 'mul'",
    ),
    "a merge that is no sum": (Merging, (BATCH, STEPS, 3), "calls 'mul'"),
    "a repetition that does more": (
        lambda: nn.Sequential(DoubledOfEachStep(nn.Linear(3, 3)), layers.IAF()), (BATCH, STEPS, 3), "cannot be followed|the forward calls",
    ),
    "a forward of its own": (
        lambda: patched(nn.Sequential(nn.Linear(3, 3), layers.IAF()), "0"), (BATCH, STEPS, 3), r"'0' \(Linear\) has a forward that was set",
    ),
    "neurons with a forward of their own": (
        lambda: patched(nn.Sequential(nn.Linear(3, 3), layers.IAF()), "1"), (BATCH, STEPS, 3), r"'1' \(IAF\) has a forward that was set",
    ),
    "a model with a forward of its own": (
        lambda: patched(nn.Sequential(nn.Identity(), layers.IAF()), ""), (BATCH, STEPS, 3), "the model .Sequential. has a forward",
    ),
    "a model that was compiled": (
        lambda: torch.compile(nn.Sequential(layers.IAF()), backend="eager"), (BATCH, STEPS, 3), "torch.compile. Pass .* its _orig_mod",
    ),
    "nothing left of an image": (
        lambda: nn.Sequential(nn.ZeroPad2d((0, 0, -3, -3)), iaf()), (BATCH * STEPS, 2, 6, 6),
        r"layer '0' \(ZeroPad2d\) gives steps of shape \(2, 0, 6\), which have no values",
    ),
    "a sample of no values": (
        lambda: nn.Sequential(layers.IAF()), (BATCH, STEPS, 0), "the sample, of shape .* have no values",
    ),
    "statistics of the batch": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False), iaf()),
        (BATCH * STEPS, 1, 6, 6), "running statistics",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_kernel_is_named(what: str) -> None:
    build, shape, message = REFUSED[what]
    model = build()
    dtype = next((p.dtype for p in model.parameters()), torch.float32)
    with pytest.raises((NotImplementedError, ValueError), match=message):
        events.compile(model, torch.zeros(shape, dtype=dtype))


def test_a_class_derived_from_one_that_does_nothing_does_nothing_too() -> None:
    model = nn.Sequential(nn.Linear(3, 3), Kept(), layers.IAF())
    assert len(events.compile(model, torch.zeros(BATCH, STEPS, 3)).graph.stages) == 1


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_weight_that_is_not_finite_is_named_with_its_place(value: float) -> None:
    model, x = network("leak")
    with torch.no_grad():
        model[2].weight[3, 7] = value
    with pytest.raises(ValueError, match=r"weight\[3, 7\] of '2' \(Linear\) is (nan|inf)"):
        events.compile(model, x)


def test_compiling_changes_nothing_of_the_model_and_copies_its_weights() -> None:
    model, x = network("batch norm, max pooling")
    model.train()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    with pytest.warns(UserWarning, match="is in training mode"):
        made = events.compile(model, x)
    expected = made(x)
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    made.reset()
    assert torch.equal(made(x), expected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(BATCH, STEPS, 9), r"has shape \(2, 6, 9\), expected \(batch, time, 10\)"),
        (torch.zeros(10), r"has shape \(10,\)"),
        (
            torch.zeros(BATCH, STEPS, 10, dtype=torch.float64),
            "is torch.float64, expected a float32",
        ),
        (None, "is NoneType"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(x: Tensor | None, message: str) -> None:
    model, sample = network("leak")
    with pytest.raises((TypeError, ValueError), match=message):
        events.compile(model, sample)(x)  # type: ignore[arg-type]


@pytest.mark.parametrize("dense", ["never", "always", "where quicker"])
@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_an_input_that_is_not_finite_is_named_and_leaves_the_states(
    value: float, dense: Dense
) -> None:
    model, x = network("leak")
    made = events.compile(model, x, dense=dense)
    made(x)
    states, bad = made.states(), x.clone()
    bad[1, 4, 7] = value
    with pytest.raises(ValueError, match=r"sample 1, step 4, at \[7\] is not finite"):
        made(bad)
    for layer, own in made.states().items():
        for name, state in own.items():
            assert torch.equal(state, states[layer][name])


def test_another_word_for_dense_is_refused() -> None:
    model, x = network("leak")
    with pytest.raises(ValueError, match="dense is 'sometimes', expected one of where quicker"):
        events.compile(model, x, dense="sometimes")  # type: ignore[arg-type]


def test_nothing_in_gives_nothing() -> None:
    model, x = network("lenet")
    made = events.compile(model, x)
    assert made(x[:0]).shape == (0, 10)
    assert not made(torch.zeros_like(x)).any()
    assert made.report().synops_per_sample == 0


@pytest.mark.parametrize("steps", [1, 17])
def test_any_number_of_steps_runs_and_pieces_of_time_give_the_whole(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = network("recurrent")
    x = spikes(BATCH, steps, 10)
    with torch.no_grad():
        expected = model(x)
    monkeypatch.setattr("picojoule.events.network.MOST_BYTES", 4000)
    made = events.compile(model, x)
    assert torch.equal(made(x), expected)
    assert made.synops["0"].shape == (BATCH, steps)


def test_another_batch_starts_from_rest_and_what_was_counted_stays() -> None:
    model, x = network("leak")
    made = events.compile(model, x)
    made(x)
    one = made(x[:1])
    made.reset()
    assert torch.equal(made(x[:1]), one)
    report = made.report()
    assert report.samples == BATCH + 2
    fired = [row.firing_rate for row in report.rows if row.firing_rate is not None]
    assert fired[0] > 0


def test_the_plan_shows_a_line_for_each_layer() -> None:
    model, x = network("pruned")
    made = events.compile(model, x)
    made(x)
    lines = made.plan.splitlines()
    assert lines[0].split("  ")[0] == "layer"
    assert "nonzero weights alone" in lines[2]
    assert "looks at neurons that were reached" in lines[2]


# ---- hooks


class Scaled:
    """Changes what a module gives out."""

    def __call__(self, _module: nn.Module, _args: object, output: Tensor) -> Tensor:
        return output * 2


@pytest.mark.parametrize("order", ["step", "depth"])
@pytest.mark.parametrize("place", ["", "0", "1"])
def test_a_hook_that_is_not_called_is_warned_of(place: str, order: str) -> None:
    model, x = network("one axis")
    model.get_submodule(place).register_forward_hook(Scaled())
    model.get_submodule(place).register_forward_pre_hook(lambda *_: None)
    with pytest.warns(UserWarning, match=rf"on '?{place or 'the model'}.*and 1 more.*not called"):
        events.compile(model, x, order=order)


def test_a_hook_is_named_with_its_module() -> None:
    model, x = network("one axis")
    model[1].register_forward_hook(partial(Scaled()))
    with pytest.warns(UserWarning, match=r"the hook Scaled on '1' \(IAFSqueeze\) is not called"):
        events.compile(model, x)


def test_the_gap_warns_of_them_too() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), layers.IAF())
    model[0].register_forward_hook(Scaled())
    with pytest.warns(UserWarning, match=r"gap: the hook Scaled.* on '0' \(Linear\)"):
        events.gap(model, [(torch.ones(3, 4, 2), torch.zeros(3, dtype=torch.int64))])


def test_hooks_that_watch_or_compute_a_weight_are_no_cause_of_a_warning() -> None:
    model, x = network("one axis")
    prune.random_unstructured(model[0], "weight", 0.5)
    with Monitor(model), torch.no_grad():
        model(x)
        found = events.compile(model, x)(x)
    picojoule.reset_states(model)
    with torch.no_grad():
        assert torch.equal(found, model(x))


@pytest.mark.parametrize(
    "front", [nn.ZeroPad2d(1), layers.SumPool2d(1), nn.Identity(), layers.ChannelShift(0)]
)
@pytest.mark.parametrize("batch", [1, 2])
def test_one_step_of_one_channel_is_no_axis_of_time(front: nn.Module, batch: int) -> None:
    model = nn.Sequential(front, nn.Conv2d(1, 3, 2), layers.IAFSqueeze(batch_size=batch))
    made = events.compile(model, torch.ones(batch, 1, 4, 4))
    x = torch.ones(batch * 3, 1, 4, 4)
    with torch.no_grad():
        assert torch.allclose(made(x), model(x))


def test_one_step_of_one_channel_is_flattened_whole() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 2), layers.IAFSqueeze(batch_size=4))
    made, x = events.compile(model, torch.zeros(4, 1, 3, 3)), torch.ones(8, 1, 3, 3)
    with torch.no_grad():
        assert torch.allclose(made(x), model(x))


@pytest.mark.parametrize("dense", ["never", "always"])
def test_spikes_of_both_signs_in_a_pooling_are_events_whichever_way_they_go(dense: Dense) -> None:
    pooled = nn.Sequential(layers.SumPool2d(2), nn.Conv2d(1, 1, 1), layers.IAFSqueeze(batch_size=1))
    x = torch.tensor([1.0, 0.0, 0.0, -1.0]).reshape(1, 1, 2, 2)
    made = events.compile(pooled, x, dense=dense)
    made(x)
    assert made.report().synops_per_sample == 2


@pytest.mark.parametrize("order", ["step", "depth"])
@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(4)])
def test_a_layer_that_only_trains_so_is_told(layer: nn.Module, order: str) -> None:
    layer.train()
    model = nn.Sequential(
        layers.FlattenTime(),
        nn.Linear(3, 4),
        layer,
        layers.IAFSqueeze(batch_size=1),
        layers.UnflattenTime(1),
    )
    with pytest.warns(UserWarning, match=rf"'2' \({type(layer).__name__}\) is in training mode"):
        events.compile(model, torch.zeros(1, 5, 3), order=order)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events.compile(model.eval(), torch.zeros(1, 5, 3), order=order)
