"""Discretised layers hold whole numbers within their widths and spike as the original does."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import prune

import picojoule
from picojoule.activation import MembraneReset, MembraneSubtract, SingleSpike
from picojoule.budget import SynopsLimit
from picojoule.convert import discretize, plan_discretization
from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ExpLeak,
    FlattenTime,
    IAFRecurrent,
    IAFSqueeze,
    LIFRecurrent,
    Merge,
    Repeat,
    SumPool2d,
    UnflattenTime,
)


def linear(weights: list[list[float]], biases: list[float] | None = None) -> nn.Linear:
    layer = nn.Linear(len(weights[0]), len(weights), bias=biases is not None)
    layer.weight.data = torch.tensor(weights)
    if biases is not None:
        layer.bias.data = torch.tensor(biases)
    return layer


def cnn(**neuron: Any) -> nn.Sequential:
    return nn.Sequential(
        FlattenTime(), nn.Conv2d(2, 4, 3), SumPool2d(2), IAFSqueeze(batch_size=2, **neuron),
        nn.AvgPool2d(2), nn.Sequential(nn.Flatten(), nn.Linear(16, 3), IAFSqueeze(batch_size=2, **neuron)),
        UnflattenTime(2),
    )  # fmt: skip


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape) < 0.5).float()


@given(
    seed=st.integers(0, 10_000),
    gain=st.floats(0.01, 20),
    weight_bits=st.integers(3, 12),
    state_bits=st.integers(12, 20),
)
@settings(deadline=None, max_examples=30)
@pytest.mark.filterwarnings("ignore:discretize. the scale of")
def test_whole_numbers_within_their_widths(
    seed: int, gain: float, weight_bits: int, state_bits: int
) -> None:
    torch.manual_seed(seed)
    model = cnn(min_v_mem=-1.0)
    model[1].weight.data *= gain
    whole = discretize(model, weight_bits, state_bits)
    for name, parameter in whole.named_parameters():
        bits = 8 if "bias" in name else weight_bits if "weight" in name else state_bits
        assert torch.equal(parameter, parameter.round()), name
        assert parameter.min() >= -(2 ** (bits - 1)), name
        assert parameter.max() <= 2 ** (bits - 1) - 1, name
    plan = plan_discretization(model, weight_bits, state_bits)
    for item, index in zip(plan.scales, ("1", "5.1"), strict=True):
        assert item.largest_weight == whole.get_submodule(index).weight.abs().max()
    whole(spikes(2, 5, 2, 10, 10))
    assert torch.equal(whole[3].v_mem, whole[3].v_mem.round())


@pytest.mark.parametrize(
    "reset",
    [
        MembraneSubtract(),
        MembraneSubtract(0.75),
        MembraneSubtract(torch.tensor(1.25)),
        MembraneReset(),
        MembraneReset(-0.5),
    ],
)
@pytest.mark.parametrize("lower_bound", [None, -0.25])
def test_what_whole_numbers_can_hold_exactly_gives_the_same_spikes(
    reset: Any, lower_bound: float | None
) -> None:
    # multiples of 1/4 with a largest weight of 31.75 = 127 / 4: the scale is 4 and nothing is rounded
    weights = torch.randint(-8, 9, (5, 6)) / 4
    weights[0, 0] = 31.75
    neuron = IAF(
        spike_threshold=torch.tensor([1.0, 1.25, 1.5, 2.0, 31.0]),
        spike_fn=SingleSpike,
        reset_fn=reset,
        min_v_mem=lower_bound,
    )
    model = nn.Sequential(linear(weights.tolist(), [0.25, 0.0, -0.5, 1.0, 0.0]), neuron)
    data = spikes(3, 40, 6)
    whole = discretize(model)
    assert plan_discretization(model).scales[0].scale == 4
    assert torch.equal(whole(data), model(data))
    assert torch.equal(whole[1].v_mem, 4 * model[1].v_mem)


def test_resets_are_scaled() -> None:
    layer = linear([[1.27]])
    whole = discretize(nn.Sequential(layer, IAF(reset_fn=MembraneSubtract(0.5))))
    assert whole[1].spike_threshold == 100
    assert whole[1].reset_fn.subtract_value == 50
    per_neuron = MembraneSubtract(torch.tensor([0.5, 1.0]))
    whole = discretize(nn.Sequential(linear([[1.27], [1.0]]), IAF(reset_fn=per_neuron)))
    assert whole[1].reset_fn.subtract_value.tolist() == [50, 100]
    assert per_neuron.subtract_value.tolist() == [0.5, 1.0]
    whole = discretize(nn.Sequential(layer, IAF(reset_fn=MembraneReset(-0.25))))
    assert whole[1].reset_fn.reset_value == -25


def test_a_missing_lower_bound_is_the_lowest_number_of_its_width_on_request() -> None:
    model = nn.Sequential(linear([[1.27]]), IAF(), linear([[1.0]]), IAF(min_v_mem=-2.0))
    whole = discretize(model)
    assert whole[1].min_v_mem is None
    whole = discretize(model, saturate=True)
    assert whole[1].min_v_mem == -(2**15)
    assert whole[3].min_v_mem == -2 * 127
    assert discretize(model, state_bits=12, saturate=True)[1].min_v_mem == -(2**11)
    assert model[1].min_v_mem is None
    assert not whole[1].min_v_mem.requires_grad


def test_potentials_take_part() -> None:
    model = nn.Sequential(linear([[1.27]]), IAF(spike_threshold=10.0))
    model(torch.ones(1, 3, 1))
    assert discretize(model)[1].v_mem.item() == 3 * 127


def averaged(at: str, pool: nn.Module) -> nn.Sequential:
    """Averages of 4 in front of a convolution whose weights are multiples of 1/8, or behind it."""
    conv = nn.Conv2d(1, 2, 1)
    conv.weight.data = torch.tensor([15.875, -0.75]).view(2, 1, 1, 1)
    conv.bias.data = torch.tensor([0.25, 0.5])
    parts = [pool, conv] if at == "before" else [conv, pool]
    return nn.Sequential(FlattenTime(), *parts, IAFSqueeze(batch_size=2, spike_threshold=3.0))


@pytest.mark.parametrize("at", ["before", "behind"])
def test_average_poolings_become_sums_and_nothing_else_changes(at: str) -> None:
    model = averaged(at, nn.AvgPool2d(2))
    data = spikes(2, 30, 1, 4, 4)
    whole = discretize(model)
    pool = 1 if at == "before" else 2
    assert plan_discretization(model).pools == (str(pool),)
    assert isinstance(whole[pool], SumPool2d)
    assert torch.equal(whole(data), model(data))
    scale = 32 if at == "before" else 8  # 127 / (15.875 / 4) or 127 / 15.875
    assert whole[3].spike_threshold == 3 * scale * (1 if at == "before" else 4)
    assert whole[2 if at == "before" else 1].weight.flatten().tolist() == [127, -6]


class Reshaped(nn.Module):
    """Poolings and layers, in a plain list, and what makes rows of the pooled image."""

    def __init__(self, rows: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.spike, self.pool = nn.Conv2d(1, 2, 3), IAFSqueeze(1), nn.AvgPool2d(2)
        self.linear, self.end, self.rows = nn.Linear(18, 3), IAFSqueeze(1), rows
        self.path = [self.conv, self.spike, self.pool, rows, self.linear, self.end]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.path:
            x = layer(x)
        return x


def unpacked(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    return x.reshape(b, c * h * w)


def in_two_steps(x: Tensor) -> Tensor:
    wide = x.view(x.shape[0], -1)
    return wide.view(wide.size(0), wide.size(1))


@pytest.mark.parametrize(
    "rows",
    [
        lambda x: x.view(x.size(0), -1),
        lambda x: x.view(x.shape[0], -1),
        lambda x: x.reshape(x.shape[:1].numel(), -1),
        lambda x: x.view(-1, x.numel() // x.size()[0]),
        lambda x: x.view(-1, x[0].numel()),
        unpacked,
        in_two_steps,
    ],
)  # fmt: skip
def test_a_size_is_in_nobodys_units(rows: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    model, usual = Reshaped(rows), Reshaped(lambda x: x.flatten(1))
    usual.load_state_dict(model.state_dict())
    x, whole = spikes(20, 1, 8, 8), discretize(model, bias_bits=12)
    assert isinstance(whole.pool, SumPool2d)
    assert torch.equal(whole(x), discretize(usual, bias_bits=12)(x))
    assert whole(x).any()


def test_a_size_between_weights_and_neurons_is_in_nobodys_units() -> None:
    class Viewed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.spike = nn.Conv2d(1, 2, 3), IAFSqueeze(1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return self.spike(x.view(x.size(0), -1))

    model = Viewed()
    (pair,) = plan_discretization(model).scales
    assert (pair.pair.weighted[0].name, pair.pair.neuron) == ("conv", "spike")


@pytest.mark.parametrize(
    "rows",
    [
        lambda x: x.flatten(1) + x.size(0),
        lambda x: x.flatten(1) * x.size(1),
        lambda x: x.flatten(1) + torch.ones_like(x.flatten(1)),
        lambda x: x.flatten(1) + x.new_ones(18),
    ],
)
def test_a_size_that_changes_values_is_refused(rows: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(NotImplementedError, match=r"is not known to keep whole numbers whole"):
        discretize(Reshaped(rows))


def test_a_pooling_used_twice_becomes_a_sum_in_both_places() -> None:
    pool = nn.AvgPool2d(2)
    model = averaged("before", pool)
    model.add_module("again", pool)
    model.add_module("conv", nn.Conv2d(2, 2, 1))
    model.add_module("spike", IAFSqueeze(batch_size=2))
    whole = discretize(model, bias_bits=16)
    assert isinstance(whole[1], SumPool2d)
    assert isinstance(whole.again, SumPool2d)
    data = spikes(2, 5, 1, 4, 4)
    assert torch.equal(whole[:4](data), model[:4](data))


@pytest.mark.parametrize(
    "pool",
    [nn.AvgPool2d(2, padding=1), nn.AvgPool2d(3, ceil_mode=True), nn.AvgPool2d(2, divisor_override=3)],
)  # fmt: skip
def test_average_poolings_of_unequal_windows_are_refused(pool: nn.Module) -> None:
    with pytest.raises(NotImplementedError, match=r"'1' \(AvgPool2d.*divides by windows"):
        discretize(averaged("before", pool))


def test_a_large_bias_is_reported_and_more_bits_help() -> None:
    model = nn.Sequential(linear([[1.0]], [50.0]), IAF())
    with pytest.warns(UserWarning, match="of '0' is set by its biases.*only 3 of 128 levels"):
        plan = plan_discretization(model)
    assert plan.scales[0].set_by == "biases"
    assert discretize(model, bias_bits=16)[0].weight == 127
    with pytest.warns(UserWarning, match="set by its threshold"):
        discretize(nn.Sequential(linear([[1.0]]), IAF(spike_threshold=1000.0)))


def test_the_negative_side_reaches_one_further() -> None:
    assert discretize(nn.Sequential(linear([[-2.0, 1.0]]), IAF()))[0].weight.tolist() == [
        [-128, 64]
    ]


def test_recurrent_weights_share_the_scale() -> None:
    # multiples of 1/2 with a largest recurrent weight of 63.5: the scale is 2
    rec = linear([[63.5, -0.5], [0.5, 1.0]], [0.5, 0.0])
    model = nn.Sequential(linear([[1.0], [2.5]]), IAFRecurrent(rec, spike_threshold=4.0))
    data = spikes(2, 20, 1)
    whole = discretize(model)
    assert whole[1].rec_connect.weight.tolist() == [[127, -1], [1, 2]]
    assert whole[0].weight.flatten().tolist() == [2, 5]
    whole_out, out = whole(data), model(data)
    assert torch.equal(whole_out, out)
    assert out.sum() > 0


def test_a_readout_without_neurons_and_a_network_with_branches() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (
                nn.Sequential(linear([[1.27]]), IAF()),
                nn.Sequential(linear([[0.5]]), IAF()),
            )
            self.merge, self.out = Merge(), Repeat(linear([[2.0]]))

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.merge(self.a(x), self.b(x)) + x)

    model = Branches()
    plan = plan_discretization(model)
    assert [(item.pair.weighted[0].name, item.pair.neuron, item.scale) for item in plan.scales] == [
        ("a.0", "a.1", pytest.approx(100)), ("b.0", "b.1", 254), ("out.module", None, 63.5),
    ]  # fmt: skip
    data = spikes(2, 10, 1)
    torch.testing.assert_close(discretize(model)(data), 63.5 * model(data))


def test_the_plan_prints_as_a_table() -> None:
    assert str(plan_discretization(averaged("behind", nn.AvgPool2d(2)))).splitlines() == [
        "layer  neuron  scale  set by   largest weight",
        "1      3       8      weights  127 of 128",
        "average poolings that become sums: 2",
    ]


@pytest.mark.filterwarnings("ignore:discretize. the scale of")
def test_the_original_stays() -> None:
    model = cnn()
    model(spikes(2, 3, 2, 10, 10))
    before = {name: x.clone() for name, x in model.state_dict().items()}
    whole = discretize(model.eval())
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    assert isinstance(model[4], nn.AvgPool2d)
    assert not any(module.training for module in whole.modules())
    assert [p.requires_grad for p in whole.parameters()][:2] == [True, True]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: [linear([[1.0]]), ALIF(5.0, 5.0)], r"'1' \(ALIF\) is no IAF or LIF"),
        (lambda: [linear([[1.0]]), LIF(torch.tensor([5.0, 6.0]))], "neurons of different tau_mem"),
        (lambda: [linear([[1.0]]), ExpLeak(tau_mem=5.0)], r"'1' \(ExpLeak\) does not spike"),
        (lambda: [linear([[1.0]]), IAF(spike_fn=None)], r"'1' \(IAF\) does not spike"),
        (lambda: [linear([[1.0]]), IAF(reset_fn=lambda s, state, th: state)], "whose units are unknown"),
        (lambda: [IAF()], r"'0' \(IAF\) has no weighted layer of its own"),
        (lambda: [linear([[1.0]]), nn.ReLU(), linear([[1.0]]), IAF()], "'0' reaches the weights of '2'"),
        (lambda: [linear([[1.0]]), nn.Sigmoid(), IAF()], r"'1' \(Sigmoid\) is not known to keep whole"),
        (lambda: [nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), IAF()], r"'1' \(BatchNorm2d\) is not known"),
        (lambda: [nn.Conv2d(1, 1, 1), IAF(), nn.AvgPool2d(2)], "ends in the average pooling '2'"),
        (lambda: [linear([[1.0]]), IAFRecurrent(nn.Tanh())], "recurrent connection that is not one"),
        (lambda: [layer := linear([[1.0]]), IAF(), layer, IAF()], "'0' .* is called more than once"),
    ],
)  # fmt: skip
def test_what_cannot_be_whole_is_named(build: Callable[[], list[nn.Module]], message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        discretize(nn.Sequential(*build()))


def test_a_number_that_is_added_has_no_units() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.spike = linear([[1.0]]), IAF()

        def forward(self, x: Tensor) -> Tensor:
            return self.spike(self.layer(x) + 0.5)

    with pytest.raises(NotImplementedError, match=r"the call .*add.* cannot be discretised"):
        discretize(Shifted())


def test_numbers_out_of_range_are_named() -> None:
    model = nn.Sequential(linear([[1.0]]), IAF())
    with pytest.raises(ValueError, match="weight_bits is 1, expected 2 to 24"):
        discretize(model, weight_bits=1)
    with pytest.raises(
        ValueError, match=r"torch.float16 does not hold .*state_bits=16; call model.float"
    ):
        discretize(nn.Sequential(linear([[1.0]]), IAF()).half())
    with pytest.raises(ValueError, match="threshold of '1' would be rounded to 0"):
        discretize(nn.Sequential(linear([[1000.0]]), IAF()))
    with pytest.raises(ValueError, match="weights of '0' are all zero"):
        discretize(nn.Sequential(linear([[0.0]]), IAF()))
    with pytest.raises(ValueError, match="weights of a layer are not finite"):
        discretize(nn.Sequential(linear([[float("nan")]]), IAF()))


LEAKING = {
    "norm_input": lambda: LIF(4.0),
    "no norm_input": lambda: LIF(torch.tensor([3.0, 8.0]), norm_input=False),
    "synapses": lambda: LIF(4.0, tau_syn=2.0, min_v_mem=-0.5),
    "one spike, to zero": lambda: LIF(4.0, spike_fn=SingleSpike, reset_fn=MembraneReset(-0.1)),
    "recurrent": lambda: LIFRecurrent(4.0, linear([[0.1, -0.3], [0.2, 0.1]], [0.1, 0.0])),
    "IAF with synapses": lambda: IAF(tau_syn=2.0),
}


@pytest.mark.parametrize("name", LEAKING)
def test_a_leaking_neuron_keeps_to_whole_numbers_and_to_its_spikes(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        linear([[1.5, -0.25, 2.0], [0.75, 2.5, -1.0]], [0.2, 0.1]), LEAKING[name]()
    )
    data = spikes(2, 200, 3)
    model(data[:, :7])  # potentials to begin with
    whole = discretize(model, 16, 22, 16)
    expected, got = model(data), whole(data)
    assert expected.any()
    assert (expected != got).float().mean() < 0.05  # but for rounding, which an IAF adds up
    for state in whole[1].states().values():
        assert torch.equal(state, state.round())
    threshold = whole[1].spike_threshold
    assert torch.equal(threshold, threshold.round())
    # a step by hand: weights in, leak, cut
    alpha, before = whole[1].alpha_mem_calculated, whole[1].v_mem
    if name == "no norm_input":
        v = alpha * before + whole[0](data[:, 0])
        fired = torch.div(v, threshold, rounding_mode="floor").clamp(min=0)
        assert torch.equal(whole(data[:, :1])[:, 0], fired)
        assert torch.equal(whole[1].v_mem, (v - fired * threshold).trunc())


def test_a_discretised_leaking_neuron_goes_through_nir() -> None:
    torch.manual_seed(0)
    model = discretize(nn.Sequential(nn.Linear(3, 2), LIF(4.0, spike_threshold=0.2)), 6, 12, 6)
    data = spikes(2, 50, 3) * 3
    again = picojoule.from_nir(picojoule.to_nir(model, data))
    picojoule.reset_states(model)
    expected = model(data)
    assert expected.any()
    assert torch.equal(again(data), expected)


def pruned_by_mask(layer: nn.Linear) -> nn.Linear:
    prune.l1_unstructured(layer, "weight", amount=4)
    return prune.l1_unstructured(layer, "bias", amount=1)


COMPUTED = {
    "pruned": pruned_by_mask,
    "weight_norm": nn.utils.parametrizations.weight_norm,
    "orthogonal": nn.utils.parametrizations.orthogonal,
}


@pytest.mark.parametrize("how", COMPUTED)
def test_computed_weights_need_no_detour(how: str) -> None:
    model = nn.Sequential(
        COMPUTED[how](nn.Linear(3, 3)), IAF(spike_threshold=0.3), nn.Linear(3, 2), IAF()
    )
    data = spikes(1, 50, 3)
    model(data).sum().backward()  # after which deepcopy of a pruned layer fails
    with torch.no_grad():
        plain = nn.Sequential(linear(model[0].weight.tolist(), model[0].bias.tolist()), *model[1:])
    picojoule.reset_states(model)
    whole, expected = discretize(model), discretize(plain)
    assert type(whole[0]) is nn.Linear
    assert torch.equal(whole[0].weight, expected[0].weight)
    assert torch.equal(whole[0].weight == 0, model[0].weight == 0) or how != "pruned"
    again = picojoule.from_nir(picojoule.to_nir(model, data))
    assert torch.equal(again(data), model(data))
    assert "weight" not in model[0]._parameters  # the model stays as it was


def test_what_the_budget_pruned_needs_no_detour() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 50), IAF(), nn.Linear(50, 2), IAF())
    monitor = picojoule.Monitor(model, weights="nonzero", detail=("channel",)).attach()
    data = torch.ones(1, 10, 20)
    picojoule.budget.prune(monitor, lambda: model(data), SynopsLimit(bound=500.0))
    monitor.detach()
    picojoule.reset_states(model)
    whole = discretize(model)
    assert (whole[0].weight == 0).sum() >= (model[0].weight == 0).sum() > 0
    again = picojoule.from_nir(picojoule.to_nir(model, data))
    assert torch.equal(again(data), model(data))
