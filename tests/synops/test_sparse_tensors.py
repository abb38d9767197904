"""Event frames as sparse tensors: made by their constructors, and by what keeps or adds up their values."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops.watch.checks import MonitorWarning

SHAPE = (4, 6)
X = (torch.rand(SHAPE, generator=torch.Generator().manual_seed(3)) < 0.5).float()
ARRIVED = float(X.sum())
Made = Callable[[Tensor, Callable[[int], Tensor]], Tensor]
pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse"),
    pytest.mark.filterwarnings("ignore:torch.sparse.SparseTensor"),
]


class Layer(nn.Module):
    """A product with what a function makes of the input."""

    def __init__(self, frames: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.weight, self.frames = nn.Parameter(torch.randn(6, 5)), frames

    def forward(self, x: Tensor) -> Tensor:
        return self.frames(x) @ self.weight


def totals(model: nn.Module, x: Tensor) -> list[tuple[float, float]]:
    """SynOps and MACs of each of three passes."""
    found = []
    with warnings.catch_warnings(), torch.no_grad(), Monitor(model) as monitor:
        warnings.simplefilter("ignore", MonitorWarning)
        for _ in range(3):
            model(x)
            report = monitor.report()
            each = report.synops_per_sample, report.macs_per_sample
            found.append(tuple(round(value * report.samples, 3) for value in each))
    return found


def by_coordinates(x: Tensor, values: Callable[[int], Tensor]) -> Tensor:
    places = x.nonzero().t()
    return torch.sparse_coo_tensor(places, values(places.shape[1]), SHAPE)


def by_keyword(x: Tensor, values: Callable[[int], Tensor]) -> Tensor:
    places = x.nonzero().t()
    return torch.sparse_coo_tensor(values=values(places.shape[1]), indices=places, size=SHAPE)


def by_an_old_name(x: Tensor, values: Callable[[int], Tensor]) -> Tensor:
    places = x.nonzero().t()
    return torch.sparse.FloatTensor(places, values(places.shape[1]), SHAPE)


def by_rows(x: Tensor, values: Callable[[int], Tensor]) -> Tensor:
    stored = x.to_sparse_csr()
    rows, columns = stored.crow_indices(), stored.col_indices()
    return torch.sparse_csr_tensor(rows, columns, values(len(columns)), SHAPE)


def by_columns(x: Tensor, values: Callable[[int], Tensor]) -> Tensor:
    stored = x.to_sparse_csc()
    columns, rows = stored.ccol_indices(), stored.row_indices()
    return torch.sparse_csc_tensor(columns, rows, values(len(rows)), SHAPE)


def by_a_named_layout(x: Tensor, values: Callable[[int], Tensor]) -> Tensor:
    stored = x.to_sparse_csr()
    rows, columns = stored.crow_indices(), stored.col_indices()
    layout = torch.sparse_csr
    return torch.sparse_compressed_tensor(rows, columns, values(len(columns)), SHAPE, layout=layout)


MADE: dict[str, Made] = {
    "coordinates": by_coordinates,
    "by keyword": by_keyword,
    "rows": by_rows,
    "columns": by_columns,
    "a named layout": by_a_named_layout,
}
VALUES: dict[str, Callable[[int], Tensor]] = {
    "ones": torch.ones,
    "halves": lambda n: torch.ones(n) / 2,
    "a table": lambda n: torch.full((n,), 0.3),
}


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("made", MADE)
def test_ones_in_the_places_of_events_are_spikes(made: str, values: str, dense: bool) -> None:
    def frames(x: Tensor) -> Tensor:
        stored = MADE[made](x, VALUES[values])
        return stored.to_dense() if dense else stored

    assert torch.equal(MADE[made](X, torch.ones).to_dense(), X)
    assert totals(Layer(frames), X) == [(ARRIVED * 5, 0)] * 3


def test_ones_by_an_old_constructor_that_nobody_sees_are_spikes() -> None:
    assert totals(Layer(lambda x: by_an_old_name(x, torch.ones)), X) == [(ARRIVED * 5, 0)] * 3


@pytest.mark.parametrize("made", [torch.sparse_bsr_tensor, torch.sparse_bsc_tensor])
def test_blocks_of_spikes_are_spikes(made: Callable[..., Tensor]) -> None:
    ends = torch.tensor([0, 1, 2])

    def frames(x: Tensor) -> Tensor:
        blocks = torch.stack([x[:2, :3], x[2:, 3:]])
        return made(ends, torch.tensor([0, 1]), blocks, SHAPE).to_dense()

    expected = float(X[:2, :3].sum() + X[2:, 3:].sum()) * 5
    assert expected > 0
    assert totals(Layer(frames), X) == [(expected, 0)] * 3


def test_events_in_one_place_add_up() -> None:
    def frames(x: Tensor) -> Tensor:
        places = torch.cat([x.nonzero(), x.nonzero()]).t()
        return torch.sparse_coo_tensor(places, torch.ones(places.shape[1]), SHAPE)

    assert totals(Layer(frames), X) == [(2 * ARRIVED * 5, 0)] * 3


def test_a_list_of_numbers_in_places_that_data_name_is_spikes() -> None:
    def frames(x: Tensor) -> Tensor:
        places = x.nonzero().t()
        return torch.sparse_coo_tensor(places, [0.5] * places.shape[1], SHAPE)

    assert totals(Layer(frames), X) == [(ARRIVED * 5, 0)] * 3


def test_currents_in_the_places_of_events_are_dense() -> None:
    def frames(x: Tensor) -> Tensor:
        stored = by_coordinates(x, torch.ones).coalesce()
        return torch.sparse_coo_tensor(stored.indices(), stored.values().exp(), SHAPE).to_dense()

    assert totals(Layer(frames), X) == [(0, 4 * 6 * 5)] * 3


def test_no_events_are_nothing() -> None:
    def frames(x: Tensor) -> Tensor:
        return torch.sparse_coo_tensor(size=x.shape).to_dense() + x

    assert totals(Layer(frames), X) == [(ARRIVED * 5, 0)] * 3


def test_a_sparse_weight_made_of_parameters_is_a_weight() -> None:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("places", torch.tensor([[0, 1, 4], [2, 2, 5]]))
            self.values = nn.Parameter(torch.tensor([0.3, 0.7, 1.0]))

        def forward(self, x: Tensor) -> Tensor:
            weight = torch.sparse_coo_tensor(self.places, self.values, (5, 6))
            return torch.sparse.mm(weight, x.t())

    arrived = float(2 * X[:, 2].sum() + X[:, 5].sum())
    assert totals(Sparse(), X) == [(arrived, 0)] * 3


def test_spikes_that_the_model_makes_may_be_stored_as_sparse() -> None:
    for store in (Tensor.to_sparse, Tensor.to_sparse_csr):
        frames: Callable[[Tensor], Tensor] = lambda x, store=store: store((x > 0.5).float())  # noqa: E731
        assert totals(Layer(frames), X) == [(ARRIVED * 5, 0)] * 3


def test_many_numbers_where_data_want_them_are_spikes() -> None:
    x = X.repeat(225, 1)

    def frames(x: Tensor) -> Tensor:
        table = torch.full(x.shape, 0.3)
        assert table.numel() > 4096
        return table.sparse_mask(x.to_sparse())

    assert totals(Layer(frames), x) == [(225 * ARRIVED * 5, 0)] * 3


KEPT: dict[str, Callable[[Tensor], Tensor]] = {
    "summed": lambda x: torch.sparse.sum(torch.stack([x, 0 * x]).to_sparse(), 0).to_dense(),
    "masked": lambda x: x.sparse_mask(x.to_sparse()),
    "masked, all values": lambda x: x.sparse_mask(x.to_sparse()).to_dense(),
    "parts": lambda x: torch.sparse_coo_tensor(
        x.to_sparse().indices(), x.to_sparse().values(), SHAPE
    ),
    "diagonals": lambda x: torch.sparse.spdiags(x[:, :4].t(), torch.arange(4), (4, 6)).to_dense(),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_keeps_or_adds_up_spikes_keeps_spikes(name: str) -> None:
    arrived = float(KEPT[name](X).to_dense().sum())
    assert arrived > 0
    assert totals(Layer(KEPT[name]), X) == [(arrived * 5, 0)] * 3
