"""COO tensors and recordings give what the dense raster gives."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import events, layers
from picojoule.data import Events
from picojoule.events.inputs.step_events import counted, merged
from tests.events.networks import NETWORKS, network
from tests.events.recordings import DT_US, STREAMED, raster, recording, sample, streamed


def uncoalesced(x: Tensor, sparse_dim: int) -> Tensor:
    """The tensor as halves of its entries, each twice, and a zero of two entries."""
    coo = x.to_sparse(sparse_dim).coalesce()
    indices, values = coo.indices(), coo.values() / 2
    extra = torch.zeros(sparse_dim, 2, dtype=torch.int64)
    noise = torch.stack([torch.full(values.shape[1:], v) for v in (3.0, -3.0)])
    order = torch.randperm(2 * len(values) + 2)
    return torch.sparse_coo_tensor(
        torch.cat([indices, indices, extra], 1)[:, order],
        torch.cat([values, values, noise])[order],
        x.shape,
        check_invariants=True,
    )


@pytest.mark.parametrize("dense", ["never", "always"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_sparse_tensor_is_the_dense_one(name: str, dense: events.Dense) -> None:
    model, x = network(name)
    made, same = events.compile(model, x, dense=dense), events.compile(model, x, dense=dense)
    for sparse_dim in (x.ndim, 1):
        assert torch.equal(made(uncoalesced(x, sparse_dim)), same(x))
    assert vars(made.report()) == vars(same.report())


def test_pieces_of_time_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = network("lenet")
    expected = events.compile(model, x, dense="never")(x)
    monkeypatch.setattr("picojoule.events.network.MOST_BYTES", 1)
    assert torch.equal(events.compile(model, x, dense="never")(x.to_sparse()), expected)


def test_graded_values_and_an_empty_tensor() -> None:
    model, x = network("strides, padding, dilation")
    made = events.compile(model, x, dense="never")
    graded = x * 0.25
    assert torch.equal(made(graded.to_sparse()), events.compile(model, x, dense="never")(graded))
    assert made.report().rows[0].synops_per_sample == 0  # values, not spikes: these are MACs
    made.reset()
    none = torch.zeros_like(x).to_sparse()
    assert torch.equal(made(none), torch.zeros_like(made(none)))
    assert len(made(x[:0].to_sparse())) == 0


@pytest.mark.filterwarnings("ignore:Sparse")  # CSR is beta
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x: x.to_sparse().double(), TypeError, "torch.float64, expected a float32"),
        (lambda x: x.flatten(1).to_sparse_csr(), TypeError, "sparse_csr tensor, expected a dense"),
        (lambda x: x[:, 0].to_sparse(), ValueError, r"has shape \(2, 10\), expected \(batch, time"),
        (lambda x: nan(x), ValueError, r"the input at \[1, 2, 3\] is not finite.*stay as they"),
        (lambda x: outside(x), ValueError, r"entry 1 of the input has index \[0, 6, 0\], outside"),
    ],
)
def test_what_a_sparse_tensor_may_not_be(change: Any, error: type[Exception], message: str) -> None:
    model, x = network("leak")
    made = events.compile(model, x, dense="never")
    made(x)
    before = made.states()
    with pytest.raises(error, match=message):
        made(change(x))
    for layer, states in made.states().items():
        for state, value in states.items():
            assert torch.equal(value, before[layer][state])


def nan(x: Tensor) -> Tensor:
    x = x.clone()
    x[1, 2, 3] = torch.nan
    return x.to_sparse()


def outside(x: Tensor) -> Tensor:
    """An index that PyTorch was asked not to look at."""
    indices = torch.tensor([[0, 0], [0, 6], [0, 0]])
    return torch.sparse_coo_tensor(indices, torch.ones(2), x.shape, check_invariants=False)


# ---- recordings


@pytest.mark.parametrize("name", STREAMED)
def test_a_recording_is_its_raster(name: str) -> None:
    model, given = streamed(name), recording(700, 40)
    made, same = (events.compile(model, sample(), dense="never") for _ in range(2))
    expected = same(raster(given, 40))
    assert torch.equal(made.run_events(given, dt_us=DT_US, steps=40)[0], expected)
    assert vars(made.report()) == vars(same.report())
    assert torch.equal(
        made.run_events(given._asdict(), dt_us=DT_US, steps=40)[0], same(raster(given, 40))
    )


def test_several_recordings_are_samples_and_slices_do_not_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("picojoule.events.inputs.columns.SLICE", 13)
    monkeypatch.setattr("picojoule.events.network.MOST_BYTES", 12 * 400 * 7)
    many = [recording(n, 30, seed=n) for n in (100, 0, 333)]
    model = streamed("integrate and fire")
    made = events.compile(model, sample(), dense="never")
    found = made.run_events(many, dt_us=DT_US, start_us=0)
    for given, own in zip(many, found, strict=True):
        expected = events.compile(model, sample(), dense="never")(raster(given, 30))
        assert torch.equal(own, expected)
    assert made.run_events([], dt_us=DT_US).shape == (0, 0, 3, 1, 2)
    assert made.run_events(many[1], dt_us=DT_US).shape == (1, 0, 3, 1, 2)


def test_an_input_of_many_channels() -> None:
    model = nn.Sequential(nn.Conv2d(5, 2, 1, bias=False), layers.IAFSqueeze(batch_size=1))
    made = events.compile(model, torch.zeros(3, 5, 4, 4), dense="never")
    given = Events(*(torch.tensor(c) for c in ([0, 9, 25], [1, 2, 3], [0, 1, 2], [4, 3, 0])))
    x = raster(given, 3, (5, 4, 4))
    assert torch.equal(made.run_events(given, dt_us=DT_US)[0], model(x))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"t_us": [0, 30, 29]}, {}, r"run_events: t_us of event 2 is 29, after an event at 30"),
        ({"t_us": [0, 30, 40]}, {"steps": 4}, r"t_us of event 2 is 40, expected less than 40"),
        ({"t_us": [0, 30, 40]}, {"start_us": 1}, r"t_us of event 0 is 0, expected at least 1"),
        ({"t_us": [0, 30, 2**60]}, {}, r"the last event is in step 115292150460684697 of 10 us"),
        ({"x": [0, 6, 7]}, {}, r"x of event 1 is 6, expected 0 to 5"),
        ({"p": [0, 1, 2]}, {}, r"p of event 2 is 2, expected 0 to 1"),
        ({"p": [0, 1, 0.5]}, {}, r"p of event 2 is 0.5, expected a whole number"),
        ({"y": [0, 4, -1], "x": [0, 0, 9]}, {}, r"x of event 2 is 9"),
    ],
)
def test_what_a_recording_may_not_have(
    change: dict[str, list[int]], options: dict[str, int], message: str
) -> None:
    given = Events(*(torch.tensor(c) for c in ([0, 30, 31], [0, 1, 2], [0, 4, 0], [0, 1, 0])))
    given = given._replace(**{name: torch.tensor(column) for name, column in change.items()})
    made = events.compile(streamed("integrate and fire"), sample(), dense="never")
    with pytest.raises(ValueError, match=message):
        made.run_events(given, dt_us=DT_US, **options)
    with pytest.raises(
        ValueError,
        match="sample 1: " + re.escape(message[:4])
        if "run_" not in message and "last" not in message
        else "event",
    ):
        made.run_events([recording(5, 3), given], dt_us=DT_US, **options)


# ---- counting


def test_counts_at_any_distance_and_order() -> None:
    step = torch.tensor([2**62, 5, 2**62, 5, 5]).numpy()
    neuron = torch.tensor([1, 2**30, 1, 0, 0]).numpy()
    found = counted(step, neuron, neurons=2**31)
    assert [c.tolist() for c in found] == [[5, 5, 2**62], [0, 2**30, 1], [2, 1, 2]]
    for cut in range(6):
        parts = [counted(step[a:b], neuron[a:b], 2**31) for a, b in ((0, cut), (cut, 5))]
        assert [c.tolist() for c in merged(*parts, 2**31)] == [c.tolist() for c in found]
