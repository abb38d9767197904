"""What goes to a NIR file comes back with the same spikes; what cannot go says so."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.activation import (
    MaxSpike,
    MembraneReset,
    MembraneSubtract,
    PeriodicExponential,
    SingleSpike,
)
from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ExpLeak,
    ExpLeakSqueeze,
    FlattenTime,
    IAFRecurrent,
    IAFRecurrentSqueeze,
    IAFSqueeze,
    LIFRecurrent,
    LIFRecurrentSqueeze,
    LIFSqueeze,
    Merge,
    Repeat,
    SumPool2d,
    UnflattenTime,
)

BATCH, TIME, N = 3, 20, 4


def through_a_file(tmp_path: Path, model: nn.Module, data: Tensor, **options: Any) -> nn.Module:
    path = tmp_path / "net.nir"
    export = {name: options.pop(name) for name in ("dt", "discretisation") if name in options}
    nir.write(path, picojoule.to_nir(model, data, **export))
    return picojoule.from_nir(path, **options)


def assert_same(model: nn.Module, again: nn.Module, data: Tensor) -> None:
    """Spikes, or potentials, to the last bit, over two calls."""
    picojoule.reset_states(model)
    for part in (data, data.flip(0)):
        expected = model(part)
        assert expected.any()
        assert torch.equal(again(part), expected)


STATEFUL = {
    "IAF": IAF,
    "IAF options": lambda: IAF(
        spike_threshold=0.7, spike_fn=MaxSpike(2), reset_fn=MembraneReset(-0.25), min_v_mem=-0.5
    ),
    "IAF thresholds": lambda: IAF(
        spike_threshold=torch.tensor([0.5, 1.0, 1.5, 2.0]), reset_fn=MembraneSubtract(0.3)
    ),
    "LIF": lambda: LIF(7.3),
    "LIF unnormalised": lambda: LIF(7.3, norm_input=False, spike_fn=SingleSpike),
    "LIF taus": lambda: LIF(torch.tensor([2.0, 3.3, 50.0, 1e5]), spike_threshold=0.2),
    "LIF alphas": lambda: LIF(7.3, train_alphas=True, surrogate_grad_fn=PeriodicExponential(0.3)),
    "LIF bound": lambda: LIF(7.3, min_v_mem=torch.tensor([-0.1, -0.2, -0.3, -0.4])),
    "CubaLIF": lambda: LIF(7.3, tau_syn=3.1, spike_threshold=0.5),
    "CubaLIF alphas": lambda: LIF(7.3, tau_syn=3.1, norm_input=False, train_alphas=True),
    "LI": lambda: ExpLeak(5.7),
    "LI normalised": lambda: ExpLeak(5.7, norm_input=True, train_alphas=True),
    "CubaLI": lambda: LIF(5.7, tau_syn=2.0, spike_fn=None),
    "LIFRecurrent": lambda: LIFRecurrent(7.3, nn.Linear(N, N), norm_input=False),
    "LIFRecurrent without bias": lambda: LIFRecurrent(
        7.3, nn.Linear(N, N, bias=False), tau_syn=2.0, spike_threshold=0.3
    ),
    "LIRecurrent": lambda: LIFRecurrent(7.3, nn.Linear(N, N), spike_fn=None),
    "IAFRecurrent": lambda: IAFRecurrent(nn.Sequential(nn.Linear(N, N))),
}


@pytest.mark.parametrize("discretisation", ["euler", "exponential"])
@pytest.mark.parametrize("build", STATEFUL.values(), ids=STATEFUL)
def test_a_neuron_comes_back_as_it_was(
    tmp_path: Path, build: Callable[[], LIF], discretisation: str
) -> None:
    layer = build()
    data = torch.randn(BATCH, TIME, N) * 2 + 0.5
    again = through_a_file(tmp_path, layer, data, discretisation=discretisation, dt=3e-3)
    assert_same(layer, again, data)
    (read,) = again
    assert type(read) is type(layer)
    for name in ("spike_fn", "reset_fn", "surrogate_grad_fn", "norm_input", "train_alphas"):
        ours = getattr(layer, name)
        expected = ours() if isinstance(ours, type) else ours
        assert getattr(read, name) == expected
    for name, parameter in layer.named_parameters(recurse=False):
        assert torch.equal(read.get_parameter(name), parameter), name


@pytest.mark.parametrize(
    "layer",
    [
        IAFSqueeze(batch_size=BATCH),
        LIFSqueeze(batch_size=BATCH, tau_mem=4.0),
        ExpLeakSqueeze(batch_size=BATCH, tau_mem=4.0),
        LIFRecurrentSqueeze(batch_size=BATCH, tau_mem=4.0, rec_connect=nn.Linear(N, N)),
        IAFRecurrentSqueeze(batch_size=BATCH, rec_connect=nn.Linear(N, N)),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("size", [{"batch_size": BATCH}, {"num_timesteps": TIME}])
def test_a_squeezed_neuron_comes_back(
    tmp_path: Path, layer: nn.Module, size: dict[str, int]
) -> None:
    picojoule.reset_states(layer)
    data = torch.rand(BATCH * TIME, N) * 2
    again = through_a_file(tmp_path, layer, data, **size)
    assert type(again[0]) is type(layer)
    assert_same(layer, again, data)


def conv_net(**conv: Any) -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 4, 3, **conv), IAFSqueeze(batch_size=BATCH)),
        SumPool2d(2),
        nn.Conv2d(4, 4, (3, 1), stride=(1, 2), padding="valid", groups=2, bias=False),
        LIFSqueeze(batch_size=BATCH, tau_mem=4.0, spike_threshold=0.1),
        nn.AvgPool2d(2, stride=1, padding=1),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(36, 5),
        ExpLeakSqueeze(batch_size=BATCH, tau_mem=4.0),
    ).eval()


@pytest.mark.parametrize(
    "conv", [{"padding": 1}, {"padding": "same"}, {"padding": 2, "dilation": 2, "bias": False}]
)
def test_a_conv_net_comes_back_squeezed_and_not(tmp_path: Path, conv: dict[str, Any]) -> None:
    model = conv_net(**conv)
    data = torch.rand(BATCH * TIME, 2, 8, 8) * 2
    assert_same(model, through_a_file(tmp_path, model, data, num_timesteps=TIME), data)
    unsqueezed = through_a_file(tmp_path, model, data)
    picojoule.reset_states(model)
    assert torch.equal(unsqueezed(data.unflatten(0, (BATCH, TIME))).flatten(0, 1), model(data))


@pytest.mark.parametrize(
    "conv", [{"kernel_size": (3, 1), "padding": "same"}, {"kernel_size": (1, 5)}]
)
def test_kernels_that_are_not_square(tmp_path: Path, conv: dict[str, Any]) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, **conv), IAFSqueeze(batch_size=BATCH))
    data = torch.rand(BATCH * TIME, 2, 8, 8) * 2
    assert_same(model, through_a_file(tmp_path, model, data, num_timesteps=TIME), data)


def test_conv1d_is_float32_and_keeps_its_place(tmp_path: Path) -> None:
    model = nn.Sequential(
        nn.Conv1d(2, 3, 3, stride=2, padding=1),
        IAFSqueeze(batch_size=BATCH, spike_threshold=0.2),
        nn.Flatten(1, -1),
        nn.Linear(12, N, bias=False),
        IAFSqueeze(batch_size=BATCH, spike_threshold=0.2),
    )
    data = torch.rand(BATCH * TIME, 2, 8)
    again = through_a_file(tmp_path, model, data, batch_size=BATCH)
    assert nir.read(tmp_path / "net.nir").nodes["0"].input_shape == 8  # with NIR's own check
    assert again[0].weight.dtype == torch.float32
    assert again[3].bias is None
    assert_same(model, again, data)


def test_time_folding_is_no_part_of_the_file(tmp_path: Path) -> None:
    folding = nn.Sequential(
        FlattenTime(),
        nn.Conv2d(1, 2, 3),
        IAFSqueeze(batch_size=BATCH, spike_threshold=0.3),
        nn.Flatten(),
        UnflattenTime(BATCH),
    )
    nn.init.constant_(folding[1].weight, 0.1)
    data = torch.rand(BATCH, TIME, 1, 5, 5) * 3
    assert list(picojoule.to_nir(folding, data).nodes) == ["input", "1", "2", "3", "output"]
    assert picojoule.to_nir(folding, data).nodes["input"].input_type["input"].tolist() == [1, 5, 5]
    assert_same(folding, through_a_file(tmp_path, folding, data), data)
    repeating = nn.Sequential(Repeat(folding[1]), IAF(), nn.Flatten(2), nn.Linear(18, 2))
    assert_same(repeating, through_a_file(tmp_path, repeating, data), data)


class Flattening(nn.Module):
    """Flattens by a function, behind a Repeat, behind folded time, or squeezed."""

    def __init__(self, kernel: Any, how: str) -> None:
        super().__init__()
        self.how = how
        self.conv, self.pool = nn.Conv2d(1, 2, kernel), nn.AvgPool2d(2)
        self.once = Repeat(nn.Sequential(self.conv, self.pool))
        self.neuron = (
            IAF(0.2) if how == "repeat" else IAFSqueeze(spike_threshold=0.2, batch_size=BATCH)
        )
        self.linear = nn.Linear(18, 2)
        nn.init.constant_(self.conv.weight, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "repeat":
            return self.linear(torch.flatten(self.neuron(self.once(x)), 2))
        if self.how == "folded":
            x = x.flatten(0, 1)
        return self.linear(self.neuron(self.pool(self.conv(x))).flatten(1))


@pytest.mark.parametrize("how", ["repeat", "folded", "squeezed"])
@pytest.mark.parametrize("kernel", [3, (3, 2)])
def test_a_function_that_flattens_is_the_layer(tmp_path: Path, kernel: Any, how: str) -> None:
    model = Flattening(kernel, how)
    data = torch.rand(BATCH, TIME, 1, 8, 8) * 3
    data = data if how != "squeezed" else data.flatten(0, 1)
    again = through_a_file(tmp_path, model, data)
    node = nir.read(tmp_path / "net.nir").nodes["flatten"]
    assert (node.input_type["input"].tolist(), int(node.start_dim)) == ([2, 3, 3], 0)
    model(data)
    picojoule.reset_states(model)
    timed = data if how != "squeezed" else data.unflatten(0, (BATCH, TIME))
    expected = model(data)
    assert torch.equal(again(timed).reshape(expected.shape), expected)


class Spread(nn.Module):
    """A sum in which one neuron meets four."""

    def __init__(self) -> None:
        super().__init__()
        self.many, self.one, self.neuron = nn.Linear(N, N), nn.Linear(N, 1), IAF()

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(self.many(x) + self.one(x))


def test_shapes_that_are_spread_out_are_named() -> None:
    with pytest.raises(NotImplementedError, match=r"'one' gives \[1\] and 'neuron' takes \[4\]"):
        picojoule.to_nir(Spread(), torch.rand(1, 5, N))
    rows = nn.Sequential(
        nn.Conv2d(1, 2, (3, 1)), IAFSqueeze(batch_size=1), nn.Flatten(1, 2), nn.Linear(8, 2)
    )
    with pytest.raises(
        NotImplementedError, match=r"'2' gives \[12, 8\] and '3' takes \[8\].*flatten"
    ):
        picojoule.to_nir(rows, torch.rand(5, 1, 8, 8))


def test_double_precision_comes_back_where_it_is_the_default(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(N, N), LIF(3.0, norm_input=False, spike_threshold=0.1)).double()
    data = torch.rand(BATCH, TIME, N, dtype=torch.float64)
    torch.set_default_dtype(torch.float64)
    try:
        assert_same(model, through_a_file(tmp_path, model, data), data)
    finally:
        torch.set_default_dtype(torch.float32)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(N, N), LIF(3.0, spike_threshold=0.1))
        self.second = nn.Linear(N, N)
        self.merge = Merge()
        self.out = IAF()

    def forward(self, data: Tensor) -> Tensor:
        spikes = self.first(data)
        return self.out(self.merge(self.second(spikes), spikes) + data)


def test_branches_come_back(tmp_path: Path) -> None:
    model = Residual()
    data = torch.rand(BATCH, TIME, N)
    again = copy.deepcopy(through_a_file(tmp_path, model, data))
    assert_same(model, again, data)
    nir.write(tmp_path / "again.nir", picojoule.to_nir(again, data))
    assert_same(model, picojoule.from_nir(tmp_path / "again.nir"), data)


def test_export_leaves_no_trace() -> None:
    model = nn.Sequential(nn.Linear(N, N), IAF())
    data = torch.rand(BATCH, TIME, N)
    model(data)
    before = model[1].v_mem.clone()
    picojoule.to_nir(model, torch.rand(1, 2, N))
    assert torch.equal(model[1].v_mem, before)
    assert model.training


def test_a_single_layer_has_the_models_name() -> None:
    graph = picojoule.to_nir(nn.Linear(2, 3), torch.rand(1, 2), model_name="fc")
    assert list(graph.nodes) == ["input", "fc", "output"]


class Custom(nn.Module):
    def forward(self, data: Tensor) -> Tensor:
        return data.relu()


class Counting(nn.Module):
    def forward(self, data: Tensor) -> Tensor:
        return torch.stack([data[k] for k in range(len(data))])


class Branching(nn.Module):
    def forward(self, data: Tensor) -> Tensor:
        return data if data.sum() > 0 else -data


def double_spikes(spikes: Tensor, state: dict[str, Tensor], threshold: Any) -> dict[str, Tensor]:
    return state


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.filterwarnings("ignore::picojoule.SlowPathNote")
@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (ALIF(3.0, 4.0), (1, 5, 2), ["'0' (ALIF)", "no NIR node"]),
        (nn.BatchNorm2d(2), (5, 2, 4, 4), ["'0' (BatchNorm2d)", "Fold"]),
        (nn.LSTM(2, 2), (1, 5, 2), ["'0' (LSTM)", "no NIR node"]),
        (nn.ReLU(), (5, 2), ["'0' (ReLU)", "no NIR node"]),
        (IAF(tau_syn=3.0), (1, 5, 2), ["'0' (IAF)", "tau_syn", "LIF"]),
        (IAF(reset_fn=double_spikes), (1, 5, 2), ["'0' (IAF)", "reset_fn=double_spikes"]),
        (IAF(), (1, 5), ["'0' (IAF)", "no neuron axis"]),
        (LIF(1e30, train_alphas=True), (1, 5, 2), ["'0' (LIF)", "alpha_mem=1", "IAF"]),
        (LIF(3.0, tau_syn=0.01), (1, 5, 2), ["'0' (LIF)", "alpha_syn=0", "tau_syn"]),
        (LIFRecurrent(3.0, nn.Tanh()), (1, 5, 2), ["'0' (LIFRecurrent)", "rec_connect=Tanh"]),
        (
            nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"),
            (5, 1, 4, 4),
            ["'0' (Conv2d)", "padding_mode='circular'"],
        ),
        (SumPool2d(2, ceil_mode=True), (5, 1, 5, 5), ["'0' (SumPool2d)", "ceil_mode"]),
        (nn.AvgPool2d(2, ceil_mode=True), (5, 1, 5, 5), ["'0' (AvgPool2d)", "ceil_mode"]),
        (
            nn.AvgPool2d(2, padding=1, count_include_pad=False),
            (5, 1, 4, 4),
            ["'0' (AvgPool2d)", "count_include_pad"],
        ),
        (
            nn.AvgPool2d(2, divisor_override=1),
            (5, 1, 4, 4),
            ["'0' (AvgPool2d)", "divisor_override"],
        ),
        (nn.Flatten(0), (5, 1, 4, 4), ["'0' (Flatten)", "start_dim=0"]),
        (Custom(), (1, 2), ["layer '0' (Custom)", "relu"]),
        (nn.Sequential(nn.Identity(), Custom(), Custom()), (1, 2), ["layer '0.1' (Custom)"]),
        (Branching(), (1, 2), ["layer '0' (Branching)", "cannot be followed", "picojoule.layers"]),
        (Counting(), (1, 2), ["layer '0' (Counting)", "cannot be followed"]),
    ],
)
def test_what_nir_cannot_carry_is_named(
    layer: nn.Module, shape: tuple[int, ...], words: list[str]
) -> None:
    with pytest.raises(NotImplementedError) as error:
        picojoule.to_nir(nn.Sequential(layer), torch.rand(shape))
    for word in words:
        assert word in str(error.value)


class Doubled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.neuron = IAF()

    def forward(self, data: Tensor) -> Tensor:
        return self.neuron(data + data)


class TwoInputs(nn.Module):
    def forward(self, data: Tensor, more: Tensor) -> Tensor:
        return data + more


def test_what_is_no_graph_of_layers_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="'neuron' gets 'input' more than once"):
        picojoule.to_nir(Doubled(), torch.rand(1, 5, 2))
    with pytest.raises(NotImplementedError, match="takes 2 inputs"):
        picojoule.to_nir(TwoInputs(), torch.rand(1, 5, 2))
    with pytest.raises(ValueError, match="no layer between"):
        picojoule.to_nir(nn.Identity(), torch.rand(1, 5, 2))


def test_half_precision_is_written_in_single(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(N, N), LIF(3.0)).bfloat16()
    again = through_a_file(tmp_path, model, torch.rand(1, 5, N, dtype=torch.bfloat16))
    assert torch.equal(again[0].weight, model[0].weight.float())


def test_a_neuron_used_twice_is_refused() -> None:
    neuron = IAF()
    with pytest.raises(NotImplementedError, match="used more than once"):
        picojoule.to_nir(nn.Sequential(neuron, nn.Linear(2, 2), neuron), torch.rand(1, 5, 2))


def test_a_forward_that_was_set_on_a_layer_is_named() -> None:
    model = nn.Sequential(nn.Linear(3, 3), IAF())
    own = model[0].forward
    model[0].forward = lambda x: 3 * own(x)
    with pytest.raises(NotImplementedError, match=r"to_nir: '0' \(Linear\) has a forward that was"):
        picojoule.to_nir(model, torch.ones(1, 2, 3))
