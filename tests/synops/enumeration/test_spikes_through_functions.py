"""Spikes behind functions that keep, move or select them: SynOps are the values that arrive, in units, times the synapses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import rnn

from picojoule import Monitor
from picojoule.layers import IAFSqueeze

TARGETS = 3  # synapses of each value that arrives
WINDOWS = torch.zeros(2, 2, 6, 6, dtype=torch.long)
PLACES = torch.linspace(-0.9, 0.9, 72).reshape(1, 6, 6, 2).expand(2, -1, -1, -1)
POSITIONS = torch.tensor([0, 3, 1])

# what is done to spikes `2 2 6 6` of 0 to 3, and the value of one spike in what that gives
UNIT_1: dict[str, Any] = {
    "fold": lambda s: F.fold(F.unfold(s, 3), (6, 6), 3),
    "hardtanh": lambda s: F.hardtanh(s, 0, 2),
    "hardtanh of -1 to 1": lambda s: F.hardtanh(s - 1),
    "relu6": lambda s: F.relu6(s - 1),
    "Hardtanh in place": nn.Hardtanh(0, 6, inplace=True),
    "threshold": lambda s: F.threshold(s, 0.5, 2.0),
    "clamp by a tensor": lambda s: s.clamp(max=torch.tensor(2.0)),
    "softshrink": lambda s: F.softshrink(s, 1.0),
    "hardshrink": lambda s: F.hardshrink(s, 1.5),
    "leaky relu": F.leaky_relu,
    "elu": F.elu,
    "prelu": nn.PReLU(),
    "index_fill": lambda s: s.index_fill(1, torch.tensor([0]), 1.0),
    "masked_fill": lambda s: s.masked_fill(s > 2, 1.0),
    "fill_diagonal_": lambda s: s[0, 0].clone().fill_diagonal_(2.0),
    "scatter of a number": lambda s: torch.zeros(2, 2, 6, 6).scatter_(3, s.long(), 2.0),
    "scatter_reduce": lambda s: torch.zeros(2, 2, 6, 6).scatter_reduce(3, WINDOWS, s, "sum"),
    "index_reduce": lambda s: s.index_reduce(0, torch.tensor([0, 0]), s, "amax"),
    "diagonal_scatter": lambda s: s.diagonal_scatter(s[:, :, 0], dim1=2, dim2=3),
    "put_": lambda s: s.clone().put_(torch.tensor([0, 5]), torch.ones(2)),
    "nan_to_num": torch.nan_to_num,
    "square": lambda s: (s - 1).square(),
    "power": lambda s: s**3,
    "prod": lambda s: s.prod(-1),
    "diff": lambda s: s.diff(dim=-1),
    "kron": lambda s: torch.kron(s, s[:1, :1, :2, :2]),
    "floor division": lambda s: s // 2,
    "remainder": lambda s: s % 2,
    "add of twice": lambda s: s.add(s, alpha=2),
    "addcmul": lambda s: torch.addcmul(s, s, s, value=-1),
    "where of numbers": lambda s: torch.where(s > 1, 2.0, 0.0),
    "less one": lambda s: s - torch.tensor(1.0),
    "into out=": lambda s: torch.add(s, s, out=torch.empty_like(s)),
    "nearest grid_sample": lambda s: F.grid_sample(s, PLACES, mode="nearest", align_corners=False),
    "packed": lambda s: rnn.pack_padded_sequence(s.flatten(2), [2, 1], batch_first=True).data,
    "packed and padded": lambda s: rnn.pad_packed_sequence(_packed(s), padding_value=1.0)[0],
    "pack_sequence": lambda s: rnn.pack_sequence([s[0], s[1, :1]]).data,
    "pad_sequence": lambda s: rnn.pad_sequence([s[0], s[1, :1]]),
    "sorted": lambda s: s.sort(-1)[0],
    "kthvalue": lambda s: s.kthvalue(4)[0],
    "median": lambda s: s.median(-1)[0],
    "mode": lambda s: s.mode(-1)[0],
    "quantile, lower": lambda s: s.quantile(0.6, -1, interpolation="lower"),
    "fractional pooling": lambda s: F.fractional_max_pool2d(s, 2, output_size=3),
    "block_diag": lambda s: torch.block_diag(*s.flatten(0, 1)),
    "cartesian_prod": lambda s: torch.cartesian_prod(s[0, 0, 0], s[0, 0, 1]),
    "combinations": lambda s: torch.combinations(s[0, 0, 0]),
    "meshgrid": lambda s: torch.meshgrid(s[0, 0, 0], s[0, 0, 1], indexing="ij")[1],
    "norm of 1": lambda s: torch.linalg.vector_norm(s - 1, 1, dim=-1),
    "norm of 0": lambda s: (s / 3).norm(p=0, dim=-1),
    "a mask of positions": lambda s: s * (torch.arange(6) < 4).float(),
    "a table of whole numbers": lambda s: s * torch.arange(6),
    "operators of the dispatcher": lambda s: torch.ops.aten.clamp(torch.ops.aten.cat([s, s]), 0, 2),
}
OTHER_UNITS: dict[str, tuple[Any, float]] = {
    "square of quarters": (lambda s: (s / 4).square(), 1 / 16),
    "kron of quarters": (lambda s: torch.kron(s / 4, s[:1, :1, :2, :2]), 1 / 4),
    "remainder of quarters": (lambda s: (s / 4).fmod(0.5), 1 / 4),
    "sign of quarters": (lambda s: (s / 4).sign(), 1.0),
    "hardtanh of quarters": (lambda s: F.hardtanh(s / 4, 0, 0.5), 1 / 4),
    "quarters and halves": (lambda s: s / 4 + s / 2, 1 / 4),
    "area": (lambda s: F.interpolate(s, scale_factor=0.5, mode="area"), 1 / 4),
    "operators": (lambda s: torch.ops.aten.avg_pool2d(s, [2, 2]).view(4, -1), 1 / 4),
}


class Behind(nn.Module):
    """Spikes, a function, and synapses behind it; `arrived` is what the function gave."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.spike, self.function = IAFSqueeze(num_timesteps=1), function
        self.weight = nn.Parameter(torch.rand(1, TARGETS))

    def forward(self, x: Tensor) -> Tensor:
        self.arrived = self.function(self.spike(x))
        return self.arrived.reshape(-1, 1) @ self.weight


@pytest.mark.parametrize(
    ("function", "unit"),
    [pytest.param(f, 1.0, id=name) for name, f in UNIT_1.items()]
    + [pytest.param(f, unit, id=name) for name, (f, unit) in OTHER_UNITS.items()],
)
@pytest.mark.filterwarnings("ignore:index_reduce")
def test_what_arrives_counts_in_units(function: Any, unit: float) -> None:
    model = Behind(function)
    x = torch.randint(0, 4, (2, 2, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    with Monitor(model) as monitor:
        model(x)
    spikes = model.arrived.abs().sum().item() / unit
    assert spikes > 0
    assert monitor.synops.per_sample["matmul#0"].item() * 2 == pytest.approx(
        spikes * TARGETS, rel=1e-5
    )
    assert monitor.macs.total.item() == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda s: F.hardtanh(s, 0, 0.9),
        lambda s: F.threshold(s, 0.5, 0.5),
        lambda s: F.leaky_relu(s - 1),
        lambda s: s.masked_fill(s > 1, 0.5),
        lambda s: s.scatter_reduce(3, WINDOWS, s, "mean"),
        lambda s: F.grid_sample(s, PLACES, align_corners=False),
        lambda s: s.quantile(0.6, -1),
        lambda s: s.add(s, alpha=0.5),
        lambda s: s**0.5,
        lambda s: (s / 4).prod(-1),
        lambda s: s.double().view(torch.float32),
        lambda s: rnn.pad_sequence([s[0], s[1, :1]], padding_value=0.5),
    ],
)
def test_values_between_are_dense(function: Any) -> None:
    model = Behind(function)
    with Monitor(model) as monitor:
        model(torch.full((2, 2, 6, 6), 2.0))
    assert monitor.synops.total.item() == 0
    assert monitor.macs.per_sample.total.item() * 2 == model.arrived.numel() * TARGETS


TABLES: dict[str, Any] = {
    "arange": lambda: torch.arange(4.0),
    "moved": lambda: torch.arange(8).to(torch.float32).detach().clone()[POSITIONS.repeat(2)[:4]],
    "linspace": lambda: torch.linspace(0, 1, 4).sin(),
    "logspace": lambda: torch.logspace(0, -1, 4),
    "a window": lambda: torch.hann_window(4),
    "one number": lambda: torch.full((4,), 0.5),
    "a list": lambda: torch.tensor([0.25, 0.5, 1.0, 2.0]),
}


@pytest.mark.parametrize("table", TABLES)
def test_tables_of_numbers_are_constants(table: str) -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(4, 5))

        def forward(self, x: Tensor) -> Tensor:
            made = TABLES[table]()
            return x @ made + (made @ self.weight).sum()

    x = torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    with Monitor(Positions()) as monitor:
        monitor.model(x)
    # each spike meets one number of the table; the table and the weights are both constants
    assert monitor.synops.per_sample.total.item() * 2 == x.sum().item()
    assert monitor.macs.total.item() == 0


def test_signs_of_weights_are_weights() -> None:
    class Binary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 5))

        def forward(self, x: Tensor) -> Tensor:
            return x @ (self.weight.sign() * (self.weight.abs() > 0.1).float())

    x = torch.tensor([[1.0, 0.0, 2.0, 0.0]])
    with Monitor(Binary()) as monitor:
        monitor.model(x)
    assert monitor.synops.total.item() == 3 * 5


@pytest.mark.parametrize("first", [False, True])
def test_packed_spikes_are_counted_by_a_recurrent_layer_as_padded_ones(first: bool) -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(36, 2)

        def forward(self, x: Tensor) -> Tensor:
            packed = rnn.pack_padded_sequence(
                x, torch.tensor([1, 2]), batch_first=first, enforce_sorted=False
            )
            return rnn.pad_packed_sequence(packed._replace(data=self.project(packed.data)))[0]

    x = torch.randint(0, 4, (2, 2, 36)).float()
    model = Packed()
    with Monitor(model) as monitor:
        model(x)
    sequences = x if first else x.transpose(0, 1)
    arrived = sequences[0, :1].sum() + sequences[1].sum()
    assert monitor.synops.per_sample.total.item() * 2 == pytest.approx(arrived.item() * 2)


def _packed(s: Tensor) -> Any:
    lengths = torch.tensor([1, 2])
    return rnn.pack_padded_sequence(s.flatten(2), lengths, batch_first=True, enforce_sorted=False)
