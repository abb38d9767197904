"""Numbers that data pick or place, tables of numbers, and values under other names: counts beside brute force."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops.watch.checks import MonitorWarning
from tests.synops.passes import each_pass

X = (torch.rand(4, 6, generator=torch.Generator().manual_seed(3)) < 0.5).float()
ARRIVED = float(X.sum())


class Two(nn.Module):
    """A layer, what makes spikes of its currents, and another layer."""

    def __init__(self, fire: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.fire = nn.Linear(6, 5), nn.Linear(5, 3), fire

    def forward(self, x: Tensor) -> Tensor:
        self.fired = self.fire(self.a(x))
        return self.b(self.fired)


class Calls(nn.Module):
    """Any function of the module and its input."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **held: Any) -> None:
        super().__init__()
        self.function = function
        for name, value in held.items():
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def totals(model: nn.Module, *inputs: Tensor, **options: Any) -> list[tuple[float, float]]:
    """SynOps and MACs of each pass."""
    with torch.no_grad():
        return each_pass(model, *inputs, **options)


def put(v: Tensor) -> Tensor:
    z = torch.zeros_like(v)
    z[v > 0] = 0.5
    return z


def over_currents(v: Tensor) -> Tensor:
    z = v.clone()
    z[v > 0] = 1
    z[v <= 0] = 0
    return z


def over_currents_by_levels(v: Tensor) -> Tensor:
    z = v.clone()
    z[v <= 0.3] = 0.0
    z[z > 0.3] = 0.5
    z[v <= 0.1] = -0.5
    return z


def over_currents_by_masks(v: Tensor) -> Tensor:
    z = v * 1.0
    return z.masked_fill_(v > 0, 0.5).masked_fill_(v <= 0, 0)


def replaced(v: Tensor) -> Tensor:
    z = torch.sigmoid(v)
    z.data = (v > 0).float()
    return z


def compared_in_data(v: Tensor) -> Tensor:
    z = v.clone()
    z.data.gt_(0)
    return z


def assigned_in_data(v: Tensor) -> Tensor:
    z = v.clone()
    z.data[:] = (v > 0).float()
    return z


FIRING: dict[str, Callable[[Tensor], Tensor]] = {
    "two numbers as tensors": lambda v: torch.where(v > 0, torch.tensor(1.0), torch.tensor(0.0)),
    "new tensors": lambda v: torch.where(v > 0, v.new_tensor(0.3), v.new_tensor(0.0)),
    "filled tensors": lambda v: torch.where(v > 0, torch.full_like(v, 0.7), torch.zeros_like(v)),
    "a table": lambda v: torch.tensor([0.0, 1.0])[(v > 0).long()],
    "a table by gather": lambda v: torch.tensor([0.0, 0.5]).gather(0, (v > 0).long().flatten()).view_as(v),
    "a table by take": lambda v: torch.take(torch.tensor([0.0, 0.25]), (v > 0).long()),
    "a number": lambda v: torch.where(v > 0, 0.5, 0.0),
    "filled by a mask": lambda v: torch.zeros_like(v).masked_fill(v > 0, 0.5),
    "filled by a mask with a tensor": lambda v: torch.zeros_like(v).masked_fill(v > 0, torch.tensor(0.7)),
    "put": put,
    "put over currents": over_currents,
    "levels put over currents": over_currents_by_levels,
    "filled over currents": over_currents_by_masks,
    "scattered": lambda v: torch.zeros_like(v).scatter(1, v.argmax(1, True), 0.7),
    "values replaced": replaced,
    "values changed": compared_in_data,
    "values assigned": assigned_in_data,
}  # fmt: skip


@pytest.mark.parametrize("fire", FIRING.values(), ids=list(FIRING))
def test_what_data_pick_are_spikes_in_every_pass(fire: Callable[[Tensor], Tensor]) -> None:
    model = Two(fire)
    model(X)
    spikes = float((model.fired != 0).sum())
    assert spikes > 0
    assert totals(model, *[X] * 4) == [(ARRIVED * 5 + spikes * 3, 0)] * 4


def test_currents_that_are_left_under_numbers_are_dense() -> None:
    def clamped(v: Tensor) -> Tensor:
        z = v.clone()
        z[v > 1] = 1
        z[v <= 0] = 0
        return z

    def added_after(v: Tensor) -> Tensor:
        return over_currents(v).add_(0.3 * v)

    def copied_after(v: Tensor) -> Tensor:
        z = v.clone()
        z[v > 0], z[v <= 0] = 1, 0
        z.copy_(v)
        z[v > 0] = 1
        return z

    for fire in (clamped, added_after, copied_after):
        assert totals(Two(fire), *[X] * 4) == [(ARRIVED * 5, 4 * 5 * 3)] * 4


@pytest.mark.parametrize("dense", [torch.sigmoid, lambda v: v * 0.37], ids=["sigmoid", "scaled"])
def test_dense_values_written_over_spikes_are_dense(dense: Callable[[Tensor], Tensor]) -> None:
    def by_setter(v: Tensor) -> Tensor:
        z = (v > 0).float()
        z.data = dense(v)
        return z

    def in_place(v: Tensor) -> Tensor:
        z = (v > 0).float()
        z.data.copy_(dense(v))
        return z

    for fire in (by_setter, in_place):
        assert totals(Two(fire), *[X] * 4) == [(ARRIVED * 5, 4 * 5 * 3)] * 4


def test_views_of_one_tensor_are_told_apart_from_the_whole() -> None:
    def side_by_side(self: Any, x: Tensor) -> Tensor:
        y, both = self.a(x), torch.zeros(4, 12)
        dense, spikes = both[:, :6], both[:, 6:]
        dense[:] = torch.tanh(y)
        spikes[:] = (y > 0).float()
        return self.b(both)

    model = Calls(side_by_side, a=nn.Linear(6, 6), b=nn.Linear(12, 3))
    assert totals(model, X, X, X) == [(ARRIVED * 6, 4 * 12 * 3)] * 3


def test_a_label_written_into_a_picture_leaves_it_a_picture() -> None:
    def labelled(self: Any, x: Tensor) -> Tensor:
        x = x.clone()
        label = x[:, :4]
        label.zero_()
        label[torch.arange(4), torch.arange(4)] = 1.0
        return self.a(x)

    x = torch.rand(4, 6)
    assert totals(Calls(labelled, a=nn.Linear(6, 5)), x, x, x) == [(0, 4 * 6 * 5)] * 3


TABLES: dict[str, Callable[[], Tensor]] = {
    "threes": lambda: torch.full((6, 5), 3.0),
    "added up": lambda: torch.ones(6, 5).cumsum(0),
    "drawn": lambda: torch.randint(1, 9, (6, 5)).float(),
    "assigned": lambda: assigned_table(),
}


def assigned_table() -> Tensor:
    table = torch.ones(6, 5)
    table[:, 1] = 2.0
    return table


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_a_table_of_numbers_beside_data_is_weights(table: Callable[[], Tensor]) -> None:
    model = Calls(lambda self, x: x @ table())
    assert totals(model, X, X, X) == [(ARRIVED * 5, 0)] * 3
    dense = torch.rand(4, 6)
    assert totals(model, dense, dense, dense) == [(0, 4 * 6 * 5)] * 3


def test_a_triangle_of_ones_times_currents_is_multiplications() -> None:
    model = Calls(lambda self, x: torch.ones(4, 4).tril() @ self.a(x), a=nn.Linear(6, 5))
    assert totals(model, X, X, X) == [(ARRIVED * 5, 4 * 4 * 5)] * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.uint8, torch.int32])
@pytest.mark.parametrize("way", ["written", "replaced"])
def test_spikes_in_a_buffer_are_spikes_in_the_next_pass_too(dtype: torch.dtype, way: str) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.inward, self.back = nn.Linear(6, 5), nn.Linear(5, 5, bias=False)
            self.register_buffer("z", torch.zeros(4, 5, dtype=dtype))

        def forward(self, x: Tensor) -> Tensor:
            v, self.synops = torch.zeros(4, 5), 0.0
            for _ in range(3):
                self.synops += ARRIVED * 5 + float(self.z.sum()) * 5
                v = 0.5 * v + self.inward(x) * 2 + self.back(self.z.float())
                if way == "written":
                    self.z.copy_(v > 0.3)
                else:
                    self.z = (v > 0.3).to(dtype)
            return v

    model, expected = Recurrent(), []
    with torch.no_grad():
        for _ in range(4):
            model(X)
            expected.append((model.synops, 0))
    assert len(set(expected)) > 1
    assert totals(Recurrent(), *[X] * 4) == expected


def test_a_trace_that_decays_by_half_is_no_count_of_spikes() -> None:
    def traced(self: Any, x: Tensor) -> Tensor:
        trace, out = torch.zeros(4, 6), torch.zeros(4, 5)
        for _ in range(16):
            trace = trace * 0.5 + x
            out = out + self.a(trace)
        return out

    ((synops, macs),) = totals(Calls(traced, a=nn.Linear(6, 5, bias=False)), X)
    assert synops <= 4 * ARRIVED * 5  # of the first two steps, in halves
    assert macs == 14 * 4 * 6 * 5


def test_rows_that_spikes_pick_are_dense_values_for_the_next_layer() -> None:
    def by_events(self: Any, x: Tensor) -> Tensor:
        currents = torch.stack([self.w[each.nonzero()[:, 0]].sum(0) for each in x])
        self.fired = (currents > 0).float()
        return self.b(self.fired)

    def by_choice(self: Any, x: Tensor) -> Tensor:
        self.fired = (torch.where(x[..., None] > 0, self.w, torch.tensor(0.0)).sum(1) > 0).float()
        return self.b(self.fired)

    for function in (by_events, by_choice):
        model = Calls(function, w=nn.Parameter(torch.randn(6, 5)), b=nn.Linear(5, 3))
        model(X)
        expected = ARRIVED * 5 + float(model.fired.sum()) * 3
        assert totals(model, X, X, X) == [(expected, 0)] * 3


SIGNS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
FROZEN: dict[str, tuple[Tensor, Callable[[Any, Tensor], Tensor]]] = {
    "signs": (SIGNS.sign(), lambda self, x: (x[..., None] * self.w).sum(1)),
    "8 bits": ((SIGNS * 20).round().to(torch.int8), lambda self, x: (x[..., None] * self.w).sum(1)),
    "chosen": (SIGNS, lambda self, x: torch.where(x[..., None] > 0, self.w, 0.0).sum(1)),
}


@pytest.mark.parametrize("name", FROZEN)
def test_frozen_weights_in_buffers_are_synapses(name: str) -> None:
    weight, function = FROZEN[name]
    assert totals(Calls(function, w=weight), X, X, X) == [(ARRIVED * 5, 0)] * 3


def test_a_mask_in_a_buffer_is_no_weight_whatever_its_type() -> None:
    for mask in (
        SIGNS > 0,
        (SIGNS > 0).float(),
        -(SIGNS > 0).float(),
        (SIGNS > 0).to(torch.complex64),
    ):
        model = Calls(lambda self, x: (x[..., None] * self.w).abs().sum(1), w=mask)
        assert totals(model, X) == [(0, 0)]
    spectrum = torch.complex(SIGNS, SIGNS.flip(0))
    model = Calls(lambda self, x: (x[..., None] * self.w).abs().sum(1), w=spectrum)
    assert totals(model, X) == [(ARRIVED * 5, 0)]


@pytest.mark.parametrize("batch", [1, 2])
def test_one_spike_meets_each_weight_whatever_the_batch(batch: int) -> None:
    x = torch.ones(batch, 1)
    model = Calls(lambda self, x: x * self.w, w=nn.Parameter(torch.randn(1, 5)))
    assert totals(model, x, x) == [(batch * 5, 0)] * 2


def test_a_condition_of_bytes_is_a_condition() -> None:
    def chosen(self: Any, x: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's on uint8
            return torch.where(
                (x == 0).to(torch.uint8)[..., None], torch.zeros_like(self.w), self.w
            )

    assert totals(Calls(chosen, w=nn.Parameter(SIGNS)), X) == [(ARRIVED * 5, 0)]


def test_the_smallest_byte_is_no_negative_number_of_spikes() -> None:
    x = torch.zeros(4, 6, dtype=torch.int8)
    x[0, 0], x[1, 1] = -128, -1
    model = Calls(lambda self, x: x @ self.w, w=torch.ones(6, 5, dtype=torch.int8))
    assert totals(model, x) == [(129 * 5, 0)]


def test_a_call_that_fails_has_no_synapses() -> None:
    def tried(self: Any, x: Tensor) -> Tensor:
        try:
            return self.bad(x)
        except RuntimeError:
            return self.a(x)

    model = Calls(tried, bad=nn.Linear(99, 5), a=nn.Linear(6, 5))
    with Monitor(model) as monitor:
        model(X)
    assert monitor.report().synops_per_sample * 4 == ARRIVED * 5
    assert [row.name for row in monitor.report().rows] == ["a"]


def test_a_call_that_fails_leaves_the_others_of_its_layer() -> None:
    def looped(self: Any, x: Tensor) -> Tensor:
        out = sum(self.a(x) for _ in range(6))
        try:
            return self.a(x[:, :4])
        except RuntimeError:
            return out

    model = Calls(looped, a=nn.Linear(6, 5))
    assert totals(model, X, X, X) == [(6 * ARRIVED * 5, 0)] * 3  # later calls are counted together


def test_a_bag_adds_up_the_rows_that_it_does_not_leave_out() -> None:
    words = torch.tensor([[0, 1, 2], [3, 0, 0]])
    assert totals(nn.EmbeddingBag(5, 4, padding_idx=0, mode="sum"), words) == [(3 * 4, 0)]
    assert totals(nn.EmbeddingBag(5, 4, padding_idx=-5, mode="sum"), words) == [(3 * 4, 0)]
    spikes = torch.tensor([[0.0, 1, 1], [0, 0, 0]])
    weighted = Calls(lambda self, x: self.bag(words, per_sample_weights=x), bag=nn.EmbeddingBag(5, 4, mode="sum"))  # fmt: skip
    assert totals(weighted, spikes) == [(2 * 4, 0)]


def test_values_of_another_tensor_in_inference_mode() -> None:
    def moved(self: Any, x: Tensor) -> Tensor:
        y = torch.zeros(4, 6)
        y.data = x
        return self.a(y)

    model = Calls(moved, a=nn.Linear(6, 5))
    with torch.inference_mode():
        assert totals(model, X, X) == [(ARRIVED * 5, 0)] * 2


def test_an_operator_of_somebody_elses_may_make_spikes() -> None:
    @torch.library.custom_op("tests::fires", mutates_args=())
    def fires(v: Tensor) -> Tensor:
        return (v > 0).float()

    model = Two(fires)
    model(X)
    assert totals(model, *[X] * 3) == [(ARRIVED * 5 + float(model.fired.sum()) * 3, 0)] * 3


def test_a_generator_is_told_not_counted_in_silence() -> None:
    def later(self: Any, x: Tensor) -> Any:
        yield self.a(x)

    model = Calls(later, a=nn.Linear(6, 5))
    with pytest.warns(MonitorWarning, match="gives a generator"), Monitor(model):
        list(model(X))


def test_conventions_take_booleans() -> None:
    def chosen(self: Any, x: Tensor) -> Tensor:
        return F.relu(torch.where(x.bool()[..., None], self.w, 0.0).sum(1))

    model = Calls(chosen, w=nn.Parameter(SIGNS))
    assert totals(model, X, conventions=True) == [(ARRIVED * 5, 0)]


@pytest.mark.parametrize(
    "phases",
    [
        lambda x: torch.where(x > 0, 1j, 0.0),
        lambda x: x.to(torch.complex64).masked_fill(x > 0, 2j),
        lambda x: torch.zeros(4, 6, dtype=torch.complex64).fill_(1j) * x,
        lambda x: (1 + 2j) * x - 1j,
    ],
)
def test_complex_numbers_are_dense(phases: Callable[[Tensor], Tensor]) -> None:
    def turned(self: Any, x: Tensor) -> Tensor:
        return (phases(x) @ self.w).abs()

    model = Calls(turned, w=nn.Parameter(torch.randn(6, 5, dtype=torch.complex64)))
    assert totals(model, X, X) == [(0, 4 * 6 * 5)] * 2


PICKS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "chosen": torch.where,
    "from a table": lambda fires, one, other: torch.stack([other, one])[fires.long()],
    "filled": lambda fires, one, other: other.repeat(fires.shape).masked_fill(fires, one),
}


@pytest.mark.parametrize("pick", PICKS.values(), ids=list(PICKS))
def test_numbers_that_data_pick_are_looked_at_in_each_call(pick: Any) -> None:
    """Once 0.9 or 0.37, which have nothing in common; once 1 or -1."""
    numbers = [(0.9, 0.37)] * 3 + [(1.0, -1.0)] * 3 + [(0.9, 0.37)]
    left = iter(numbers)

    def fire(v: Tensor) -> Tensor:
        one, other = (torch.tensor(number) for number in next(left))
        return pick(v > 0, one, other)

    expected = [
        (ARRIVED * 5 + 4 * 5 * 3, 0) if one == 1 else (ARRIVED * 5, 4 * 5 * 3) for one, _ in numbers
    ]
    assert totals(Two(fire), *[X] * len(numbers)) == expected
