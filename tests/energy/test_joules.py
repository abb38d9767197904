"""Counts times prices: totals, gradients, and what has no price."""

import pickle
from copy import deepcopy

import pytest
import torch

from picojoule.energy import EnergyProfile, energy_j

MADE_UP = EnergyProfile(
    name="made-up",
    synop_j=1e-12,
    mac_j=2e-12,
    neuron_update_j=3e-12,
    memory_j_per_byte=4e-12,
    source="this test, 2026",
    includes="everything",
)


def test_the_total_is_the_sum_of_counts_times_prices() -> None:
    breakdown = energy_j(MADE_UP, synops=10, macs=100, neuron_updates=1000, memory_bytes=10000)
    assert breakdown.synops_j == pytest.approx(10e-12)
    assert breakdown.macs_j == pytest.approx(200e-12)
    assert breakdown.neuron_updates_j == pytest.approx(3000e-12)
    assert breakdown.memory_j == pytest.approx(40000e-12)
    assert breakdown.total_j == pytest.approx(43210e-12)
    assert breakdown.is_complete()
    assert str(breakdown) == "4.321e-08 J on made-up"


def test_what_was_not_counted_costs_nothing_and_is_not_missing() -> None:
    breakdown = energy_j("odin", synops=1e6, strict=True)
    assert breakdown.macs_j == breakdown.neuron_updates_j == 0
    assert breakdown.memory_j is None
    assert breakdown.unpriced == {}
    assert breakdown.total_j == pytest.approx(12.7e-6)


def test_a_count_without_a_price_is_reported_beside_the_total() -> None:
    breakdown = energy_j("truenorth", synops=1e6, macs=3e4, neuron_updates=500, memory_bytes=8)
    assert breakdown.unpriced == {"macs": 3e4, "neuron_updates": 500, "memory_bytes": 8}
    assert (breakdown.macs_j, breakdown.neuron_updates_j, breakdown.memory_j) == (None, None, None)
    assert breakdown.total_j == pytest.approx(2.5e-6)
    assert not breakdown.is_complete()
    assert str(breakdown) == (
        "2.5e-06 J on truenorth, without 30000 MACs and 500 neuron updates and "
        "8 bytes of memory traffic (no price in its source)"
    )
    assert "encode its input into spikes" in "\n".join(breakdown.notes())


@pytest.mark.parametrize(
    ("count", "advice"),
    [
        ("macs", "encode its input into spikes"),
        ("neuron_updates", "may contain them"),
        ("memory_bytes", r"45nm-int8\+step"),
    ],
)
def test_strict_raises_and_says_what_to_do(count: str, advice: str) -> None:
    with pytest.raises(ValueError, match=rf"'odin' has no price for .* 7 were counted\..*{advice}"):
        energy_j("odin", synops=1.0, strict=True, **{count: torch.tensor(7.0)})


def test_a_tensor_of_zeros_without_a_price_is_complete() -> None:
    breakdown = energy_j("odin", synops=1.0, macs=torch.zeros(3), strict=True)
    assert breakdown.is_complete()
    assert "MACs" not in str(breakdown)
    assert "MACs" not in "\n".join(breakdown.notes())


def test_gradients_are_the_prices() -> None:
    counts = {
        name: torch.tensor([[5.0], [7.0]], dtype=torch.float64, requires_grad=True)
        for name in ("synops", "macs", "neuron_updates", "memory_bytes")
    }
    energy_j(MADE_UP, **counts).total_j.sum().backward()
    gradients = [count.grad.flatten().tolist() for count in counts.values()]
    assert gradients == [[price * 1e-12] * 2 for price in (1, 2, 3, 4)]


def test_shapes_broadcast() -> None:
    breakdown = energy_j(MADE_UP, synops=torch.ones(4, 1), macs=torch.ones(3), neuron_updates=1)
    assert breakdown.total_j.shape == (4, 3)
    # a SynOp, a MAC, an update, and 5 + 1 bytes of memory
    torch.testing.assert_close(breakdown.total_j, torch.full((4, 3), 30e-12))
    assert str(breakdown) == "3e-11 (mean of 12) J on made-up"


def test_memory_is_assumed_where_the_profile_prices_a_byte_and_nowhere_else() -> None:
    assumed = energy_j(MADE_UP, synops=10, macs=100)
    assert assumed.memory_j == pytest.approx((5 * 10 + 100) * 4e-12)
    assert "assumed, not measured" in "\n".join(assumed.notes())
    assert energy_j(MADE_UP, synops=10, macs=100, memory_bytes=0).memory_j == 0
    for name in ("45nm-fp32", "loihi"):
        assert energy_j(name, synops=10).memory_j is None


def test_a_profile_of_another_kind_of_evidence_is_refused() -> None:
    for field in ("evidence", "scope"):
        with pytest.raises(ValueError, match=rf"'mine': {field} is 'guessed'; choose one of"):
            EnergyProfile(name="mine", source="this test", synop_j=1e-12, **{field: "guessed"})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_counts_do_not_underflow(dtype: torch.dtype) -> None:
    synops = torch.tensor(1000.0, dtype=dtype, requires_grad=True)
    total = energy_j("loihi", synops=synops).total_j
    assert total.dtype == torch.float32
    assert total.item() == pytest.approx(23.6e-9)
    (total / 23.6e-9).backward()
    assert synops.grad.item() == pytest.approx(1e-3, rel=1e-2)


def test_whole_numbers_are_priced_too() -> None:
    total = energy_j("loihi", synops=torch.tensor([1, 2])).total_j
    torch.testing.assert_close(total, torch.tensor([23.6e-12, 47.2e-12]))


def test_a_count_that_is_no_count_is_refused() -> None:
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"macs is .*, expected a finite count >= 0"):
            energy_j(MADE_UP, macs=wrong)


def test_counting_waits_for_no_tensor() -> None:
    unknown = torch.empty(2, device="meta")
    breakdown = energy_j("odin", synops=unknown, macs=unknown)
    assert breakdown.total_j.device.type == "meta"


def test_the_notes_say_what_is_left_out() -> None:
    notes = "\n".join(energy_j("45nm-int8", synops=1.0).notes())
    assert "Not in the total: memory traffic" in notes
    assert "arithmetic only" in notes
    assert "Horowitz" in notes
    assert "none were given" in "\n".join(energy_j("loihi", synops=1.0).notes())
    assert "recalled" in "\n".join(energy_j("truenorth-2014", synops=1.0).notes())
    priced = energy_j("45nm-int8+step", synops=1.0, memory_bytes=5.0)
    assert "Not in the total" not in "\n".join(priced.notes())


def test_a_breakdown_can_be_copied_and_stored() -> None:
    breakdown = energy_j("loihi", synops=torch.tensor(1e6), macs=2.0)
    for copy in (deepcopy(breakdown), pickle.loads(pickle.dumps(breakdown))):
        assert str(copy) == str(breakdown)
        assert copy.profile == breakdown.profile
