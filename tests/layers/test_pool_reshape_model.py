"""Pooling, folding of time, what acts on a whole model, parameter ranges, and check_finite."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

import picojoule
from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ExpLeak,
    ExpLeakSqueeze,
    FlattenTime,
    IAFSqueeze,
    LIFRecurrent,
    LIFSqueeze,
    Repeat,
    SqueezeError,
    SumPool2d,
    UnflattenTime,
)

# --- SumPool2d ---


def windows(size: int, kernel: int, stride: int, ceil_mode: bool) -> list[slice]:
    """The windows along one axis; with `ceil_mode` also a cut one, where its predecessor left a rest."""
    whole = [slice(a, a + kernel) for a in range(0, size - kernel + 1, stride)]
    start = whole[-1].start + stride
    cut = ceil_mode and whole[-1].stop < size and start < size
    return [*whole, slice(start, size)] if cut else whole


def summed(data: Tensor, kernel: Any, stride: Any, ceil_mode: bool) -> Tensor:
    kernel, stride = ((n, n) if isinstance(n, int) else n for n in (kernel, stride or kernel))
    rows = windows(data.shape[-2], kernel[0], stride[0], ceil_mode)
    columns = windows(data.shape[-1], kernel[1], stride[1], ceil_mode)
    return torch.stack(
        [torch.stack([data[..., r, c].sum((-2, -1)) for c in columns], -1) for r in rows], -2
    )


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride"), [(1, None), (2, None), (3, 2), (2, 3), ((2, 3), None), ((3, 2), (1, 2))]
)
@pytest.mark.parametrize("silent_gradient", [False, True])
def test_sum_pool_sums_each_window(
    kernel: Any, stride: Any, ceil_mode: bool, silent_gradient: bool
) -> None:
    pool = SumPool2d(kernel, stride, ceil_mode, silent_gradient=silent_gradient)
    data = torch.randint(-3, 4, (2, 3, 7, 8)).float()
    want = summed(data, kernel, stride, ceil_mode)
    assert torch.equal(pool(data), want)
    assert torch.equal(pool(data[0]), want[0])


def test_sum_pool_passes_no_gradient_into_windows_whose_sum_is_zero() -> None:
    rows = [[0.0, 0.0, 1.0, -1.0, 2.0, 0.0], [0.0, 0.0, 3.0, -3.0, 0.0, -1.0]]
    silent, cancelling, active = [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]
    data = torch.tensor(rows).reshape(1, 2, 6).requires_grad_()
    SumPool2d(2)(data).sum().backward()
    assert data.grad.tolist() == [[silent + cancelling + active] * 2]


def test_sum_pool_with_silent_gradient_has_the_true_one() -> None:
    data = torch.randn(2, 1, 3, 4, dtype=torch.float64)
    data[0] = 0
    pool = SumPool2d(2, 1, silent_gradient=True)
    assert gradcheck(pool, data.requires_grad_())
    assert not gradcheck(SumPool2d(2, 1), data, raise_exception=False)


# --- time folded into the batch ---


def test_flattening_runs_time_fastest_and_unflattening_undoes_it() -> None:
    data = torch.arange(2 * 5 * 3).reshape(2, 5, 3)
    folded = FlattenTime()(data)
    assert torch.equal(folded, torch.stack([data[b, t] for b in range(2) for t in range(5)]))
    assert torch.equal(UnflattenTime(2)(folded), data)
    assert torch.equal(UnflattenTime(1)(folded), folded[None])
    for sizes in ({"num_timesteps": 5}, {"batch_size": 2, "num_timesteps": 5}):
        assert torch.equal(UnflattenTime(**sizes)(folded), data)
    assert FlattenTime()(torch.zeros(2, 5)).shape == (10,)
    with pytest.raises(ValueError, match=r"\(4,\)"):
        FlattenTime()(torch.zeros(4))


def test_unflattening_by_time_steps_takes_any_batch_that_divides() -> None:
    layer = UnflattenTime(num_timesteps=5)
    assert repr(layer) == "UnflattenTime(num_timesteps=5)"
    picojoule.set_batch_size(nn.Sequential(layer), 7)
    for batch in (0, 1, 4):
        assert layer(torch.zeros(5 * batch, 3)).shape == (batch, 5, 3)
    with pytest.raises(ValueError, match=r"12 entries.*num_timesteps=5"):
        layer(torch.zeros(12, 3))
    with pytest.raises(TypeError, match="UnflattenTime: give batch_size or num_timesteps"):
        UnflattenTime()
    with pytest.raises(ValueError, match="num_timesteps is 0"):
        UnflattenTime(num_timesteps=0)


def test_setting_the_batch_size_lets_the_time_steps_follow() -> None:
    layer = UnflattenTime(batch_size=2, num_timesteps=5)
    picojoule.set_batch_size(layer, 3)
    assert layer(torch.zeros(12, 1)).shape == (3, 4, 1)


def test_repeat_applies_the_module_to_each_step() -> None:
    module, data = nn.Conv2d(1, 4, 3), torch.randn(2, 5, 1, 8, 6)
    steps = torch.stack([module(data[:, t]) for t in range(5)], dim=1)
    torch.testing.assert_close(Repeat(module)(data), steps)
    assert steps.shape == (2, 5, 4, 6, 4)


@pytest.mark.parametrize(
    "sizes", [{"batch_size": 2}, {"num_timesteps": 5}, {"batch_size": 2, "num_timesteps": 5}]
)
def test_a_squeezing_layer_is_the_layer_between_the_two(sizes: dict[str, int]) -> None:
    data = 2 * torch.randn(2, 5, 3)
    squeezed = IAFSqueeze(**sizes)
    between = nn.Sequential(UnflattenTime(2), IAF(), FlattenTime())
    assert torch.equal(squeezed(data.flatten(0, 1)), between(data.flatten(0, 1)))
    assert torch.equal(squeezed.v_mem, between[1].v_mem)


def squeezing_model() -> nn.Sequential:
    inner = nn.Sequential(LIFSqueeze(batch_size=3, num_timesteps=4, tau_mem=5.0), UnflattenTime(3))
    return nn.Sequential(
        IAFSqueeze(batch_size=3), inner, ExpLeakSqueeze(num_timesteps=4, tau_mem=5.0)
    )


def sizes(model: nn.Module) -> list[tuple[int, int | None]]:
    layers = [m for m in model.modules() if hasattr(m, "batch_size")]
    return [(m.batch_size, getattr(m, "num_timesteps", None)) for m in layers]


def test_set_batch_size_reaches_every_layer_that_knows_one() -> None:
    model = squeezing_model()
    assert sizes(model) == [(3, -1), (3, 4), (3, -1), (-1, 4)]
    picojoule.set_batch_size(model, 6)
    assert sizes(model) == [(6, -1), (6, -1), (6, -1), (-1, 4)]
    assert nn.Sequential(model[0], model[1])(torch.zeros(6 * 7, 2)).shape == (6, 7, 2)


@pytest.mark.parametrize("wrong", ["2", 2.0, True, 0, -3, 1.5])
@pytest.mark.parametrize("name", ["batch_size", "num_timesteps"])
def test_a_size_is_a_whole_number(wrong: Any, name: str) -> None:
    for layer in (IAFSqueeze, UnflattenTime):
        with pytest.raises(ValueError, match=rf"{name} is .*, expected a whole number >= 1"):
            layer(**{name: wrong})


def test_a_size_may_be_numpys() -> None:
    layer = IAFSqueeze(batch_size=np.int64(2))
    assert layer(torch.ones(6, 1)).shape == (6, 1)
    picojoule.set_batch_size(layer, np.int32(3))
    assert type(layer.batch_size) is int


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", None])
def test_set_batch_size_refuses_what_is_no_size_and_changes_nothing(wrong: Any) -> None:
    model = squeezing_model()
    before = sizes(model)
    with pytest.raises(ValueError, match="batch_size"):
        picojoule.set_batch_size(model, wrong)
    assert sizes(model) == before


@pytest.mark.parametrize("squeeze", [IAFSqueeze, UnflattenTime])
@pytest.mark.parametrize("wrong", [0, -2])
def test_a_size_below_one_is_refused_at_construction(squeeze: Any, wrong: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size is {wrong}"):
        squeeze(batch_size=wrong)


def test_a_squeezing_layer_needs_one_of_the_sizes() -> None:
    with pytest.raises(TypeError, match=r"LIFSqueeze.*batch_size or num_timesteps"):
        LIFSqueeze(tau_mem=5.0)


@pytest.mark.parametrize(
    "sizes", [{"batch_size": 3}, {"num_timesteps": 3}, {"batch_size": 2, "num_timesteps": 4}]
)
@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_a_batch_that_does_not_divide_is_refused_and_the_state_kept(
    sizes: dict[str, int], error: type[Exception]
) -> None:
    layer = IAFSqueeze(**sizes)
    layer(torch.full((math.prod(sizes.values()) * (3 if len(sizes) == 1 else 1), 2), 0.4))
    before = layer.v_mem
    values = before.clone()
    with pytest.raises(error, match=r"IAFSqueeze.*10.*set_batch_size") as caught:
        layer(torch.ones(10, 2))
    assert caught.type is SqueezeError
    assert layer.v_mem is before
    assert torch.equal(before, values)
    with pytest.raises(error, match=r"UnflattenTime.*10.*batch_size=3"):
        UnflattenTime(3)(torch.ones(10, 2))


# --- whole models ---


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.by_name = nn.ModuleDict({"left": LIF(4.0, tau_syn=2.0), "right": ExpLeak(4.0)})
        self.in_order = nn.ModuleList([nn.Sequential(nn.BatchNorm1d(6), IAF())])

    def forward(self, data: Tensor) -> Tensor:
        data = self.by_name["left"](data) + self.by_name["right"](data)
        return self.in_order[0](data)


def neurons(model: nn.Module) -> list[LIF]:
    return [layer for layer in model.modules() if isinstance(layer, LIF)]


@pytest.mark.parametrize(
    ("build", "count"), [(lambda: LIF(4.0), 1), (Branches, 3)], ids=["bare", "nested"]
)
def test_reset_and_zero_grad_reach_every_neuron_and_nothing_else(
    build: Callable[[], nn.Module], count: int
) -> None:
    model = build()
    model(3 * torch.rand(4, 6, 5)).sum().backward()
    layers = neurons(model)
    others = {k: v.clone() for k, v in model.state_dict().items() if "running" in k or "num_" in k}
    assert (len(layers), len(others)) == (count, 0 if count == 1 else 3)
    values = [layer.v_mem.clone() for layer in layers]
    trained = [p for layer in layers for p in layer.parameters() if p.requires_grad]
    states = [(layer, name) for layer in layers for name in layer.states()]
    assert all(p.grad.any() for p in trained)

    picojoule.zero_grad(model)
    assert not any(p.grad.any() for p in trained)
    assert not any(getattr(layer, name).requires_grad for layer, name in states)
    for layer, value in zip(layers, values, strict=True):
        assert torch.equal(layer.v_mem, value)
        assert value.any()

    picojoule.reset_states(model)
    assert {getattr(layer, name).shape for layer, name in states} == {(0,)}
    assert all(torch.equal(model.state_dict()[k], v) for k, v in others.items())


# --- parameter ranges ---

RANGES: list[tuple[Callable[..., LIF], str, list[float]]] = [
    (lambda x: LIF(tau_mem=x), "tau_mem", [0.0, -1.0, math.nan]),
    (lambda x: LIF(tau_mem=torch.tensor([2.0, x])), "tau_mem", [0.0, -1.0, math.nan]),
    (lambda x: LIF(tau_mem=x, train_alphas=True), "tau_mem", [0.0, -1.0, math.nan]),
    (lambda x: LIF(tau_mem=2.0, tau_syn=x), "tau_syn", [0.0, -1.0, math.nan]),
    (lambda x: LIF(2.0, spike_threshold=x), "spike_threshold", [0.0, -1.0, math.nan]),
    (lambda x: IAF(spike_threshold=x), "spike_threshold", [0.0, -1.0, math.nan]),
    (lambda x: IAF(tau_syn=x), "tau_syn", [0.0, -1.0, math.nan]),
    (lambda x: ExpLeak(x), "tau_mem", [0.0, -1.0, math.nan]),
    (lambda x: IAFSqueeze(batch_size=1, spike_threshold=x), "spike_threshold", [0.0]),
]
OUT_OF_RANGE = [(build, name, x) for build, name, values in RANGES for x in values]


@pytest.mark.parametrize(("build", "name", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_by_name(
    build: Callable[..., LIF], name: str, value: float
) -> None:
    layer = type(build(2.0)).__name__
    with pytest.raises(ValueError, match=f"^{layer}: {name} .*expected {name} > 0"):
        build(value)


@pytest.mark.parametrize(
    "build",
    [
        lambda **options: LIF(None, **options),
        lambda **options: LIF(math.inf, **options),
        lambda **options: LIF(torch.tensor([3.0, math.inf]), **options),
        lambda **options: LIFSqueeze(tau_mem=None, batch_size=1, **options),
        lambda **options: LIFRecurrent(None, nn.Linear(2, 2), **options),
        lambda **options: ALIF(None, 4.0, **options),
    ],
)
def test_neurons_that_hear_nothing_are_refused(build: Callable[..., nn.Module]) -> None:
    with pytest.raises(ValueError, match=r"norm_input multiplies the input by .* 0 without a leak"):
        build()
    assert build(norm_input=False)(torch.full((1, 3, 2), 5.0)).sum() > 0


LOADS = [
    *((LIF, {"tau_mem": 4.0, "tau_syn": 3.0}, "tau_mem", x) for x in (0.0, -1.0, math.nan)),
    *((LIF, {"tau_mem": 4.0, "tau_syn": 3.0}, "tau_syn", x) for x in (0.0, -1.0, math.nan)),
    *((IAF, {}, "spike_threshold", x) for x in (0.0, -1.0, math.nan)),
    *(
        (ExpLeak, {"tau_mem": 4.0, "train_alphas": True}, "alpha_mem", x)
        for x in (0.0, 1.5, math.nan)
    ),
    *(
        (LIF, {"tau_mem": 4.0, "tau_syn": 3.0, "train_alphas": True}, "alpha_syn", x)
        for x in (-0.5, 2.0)
    ),
]


@pytest.mark.parametrize(("layer_class", "arguments", "name", "value"), LOADS)
def test_a_state_dict_out_of_range_is_refused_and_the_layer_kept(
    layer_class: type[LIF], arguments: dict[str, Any], name: str, value: float
) -> None:
    saved = layer_class(**arguments)
    saved(torch.ones(5, 4, 3))
    faulty = {
        "0." + k: v + 0.01 if k != name else torch.tensor(value)
        for k, v in saved.state_dict().items()
    }
    model = nn.Sequential(layer_class(**arguments))
    model(torch.rand(2, 4, 3))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(RuntimeError, match=rf"0\.{name} is .*expected"):
        model.load_state_dict(faulty)
    after = model.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


# --- check_finite ---


def deep_model() -> nn.Sequential:
    return nn.Sequential(nn.Identity(), nn.Sequential(nn.Identity(), IAF(), LIF(4.0)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_check_finite_names_the_layer_and_the_place_and_keeps_the_state(bad: float) -> None:
    model = deep_model()
    picojoule.check_finite(model)
    model(torch.full((2, 4, 3), 0.3))
    layer = model[1][1]
    before, values = layer.v_mem, layer.v_mem.clone()
    data = torch.zeros(2, 4, 3)
    data[1, 2, 0] = data[1, 3, 1] = bad
    with pytest.raises(ValueError, match=r"'1\.1' \(IAF\).*\(2, 4, 3\).* 2 .*\(1, 2, 0\)"):
        model(data)
    assert layer.v_mem is before
    assert torch.equal(before, values)


def test_check_finite_passes_finite_values_whose_sum_is_not() -> None:
    huge = torch.full((1, 2, 3), torch.finfo(torch.float32).max)
    assert not huge.sum().isfinite()
    layer = ExpLeak(4.0, norm_input=True)
    with picojoule.check_finite(layer):
        assert bool(layer(huge).isfinite().all())


@pytest.mark.parametrize("leave", ["remove", "with"])
def test_check_finite_ends_with_its_handle(leave: str) -> None:
    model, data = deep_model(), torch.full((1, 2, 3), math.nan)
    handle = picojoule.check_finite(model)
    with pytest.raises(ValueError, match="NaN"):
        model(data)
    if leave == "remove":
        handle.remove()
        handle.remove()
    else:
        with handle:
            pass
    model(data)


@pytest.mark.parametrize("value", [-1.0, 0.0, math.nan])
@pytest.mark.parametrize("name", ["spike_threshold", "tau_mem"])
def test_check_finite_catches_a_parameter_that_left_its_range(name: str, value: float) -> None:
    layer = LIF(4.0)
    with picojoule.check_finite(nn.Sequential(layer)), torch.no_grad():
        getattr(layer, name).fill_(value)
        with pytest.raises(ValueError, match=f"^LIF: {name} is {value:.4g}"):
            layer(torch.ones(1, 2, 3))
    assert not layer.is_state_initialised()


def test_check_finite_changes_no_result() -> None:
    data = torch.randn(2, 6, 3)
    plain, checked = deep_model(), deep_model()
    with picojoule.check_finite(checked):
        assert torch.equal(plain(data), checked(data))
