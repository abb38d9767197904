"""The quantised ANN beside the SNN, and where both cost the same."""

from pathlib import Path

import pytest
import torch

from picojoule.energy import (
    EnergyProfile,
    ann_baseline_j,
    break_even_rate,
    energy_j,
    profile,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "energy.md"


def test_the_baseline_prices_dense_macs_as_8_bit_integers() -> None:
    assert ann_baseline_j(1e6).total_j == pytest.approx(0.23e-6)
    with_memory = ann_baseline_j(1e6, profile="45nm-int8+step", memory_bytes=1e6)
    assert with_memory.total_j == pytest.approx((0.23 + 24.96) * 1e-6)


def test_a_baseline_that_cannot_be_priced_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"ann_baseline_j: 'loihi' has no price for MACs"):
        ann_baseline_j(1e6, profile="loihi")
    with pytest.raises(ValueError, match=r"ann_baseline_j: '45nm-int8' has no price for bytes"):
        ann_baseline_j(1e6, memory_bytes=1e6)


def test_at_the_break_even_rate_both_networks_cost_the_same() -> None:
    synapses = 1000.0
    even = break_even_rate("45nm-fp16", memory="sram-8kb", bytes_per_mac=2, bytes_per_synop=6)
    compute = energy_j("45nm-fp16", synops=even.compute_only * synapses)
    assert compute.total_j == pytest.approx(ann_baseline_j(synapses).total_j)
    spikes = even.with_memory * synapses
    memory = energy_j("45nm-fp16+sram-8kb", synops=spikes, memory_bytes=6 * spikes)
    dense = ann_baseline_j(synapses, profile="45nm-int8+sram-8kb", memory_bytes=2 * synapses)
    assert memory.total_j == pytest.approx(dense.total_j)


def test_neuron_updates_lower_the_break_even_rate_down_to_never() -> None:
    without = break_even_rate("loihi").with_memory
    some = break_even_rate("loihi", neuron_updates_per_synapse=0.1).with_memory
    assert some == pytest.approx(without - 0.1 * 81 / 23.6)
    assert break_even_rate("loihi", neuron_updates_per_synapse=1).with_memory == 0


def test_the_figures_of_a_chip_are_not_split_into_arithmetic_and_memory() -> None:
    even = break_even_rate("loihi", memory="dram")
    assert even.compute_only is None
    assert even.with_memory == pytest.approx((0.23 + 162.5) / 23.6)


@pytest.mark.parametrize(
    ("snn", "ann", "memory", "pj_per_byte"),
    [
        ("45nm-int8", "45nm-int8", None, 24.96),
        ("22nm-dram", "45nm-int8", None, 160),
        ("45nm-int8", "45nm-int8+sram-1mb", None, 12.5),
        ("22nm-dram", "45nm-int8", "step", 24.96),
    ],
)
def test_one_price_of_memory_holds_on_both_sides(
    snn: str, ann: str, memory: str | None, pj_per_byte: float
) -> None:
    even = break_even_rate(snn, ann=ann, memory=memory)
    assert even.memory_j_per_byte == pytest.approx(pj_per_byte * 1e-12)
    synop_pj = profile(snn).synop_j * 1e12
    assert even.with_memory == pytest.approx((0.23 + pj_per_byte) / (synop_pj + 5 * pj_per_byte))


def test_the_defaults_lie_where_the_literature_puts_the_break_even() -> None:
    even = break_even_rate("45nm-int8")
    assert 0.15 <= even.with_memory <= 1.38  # Dampfhoffer et al. 2023
    assert even.compute_only > 5  # what arithmetic alone promises


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"snn": "loihi", "ann": "loihi"}, "break_even_rate: 'loihi' has no price for MACs"),
        ({"snn": "speck"}, "break_even_rate: 'speck' has no energy per operation"),
        (
            {"snn": "odin", "neuron_updates_per_synapse": 0.1},
            "break_even_rate: 'odin' has no price for neuron updates",
        ),
        ({"snn": "loihi", "bytes_per_mac": -1.0}, "expected numbers >= 0"),
        ({"snn": "loihi", "memory": "flash"}, "no memory 'flash'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    arguments: dict[str, str | float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        break_even_rate(**arguments)


def test_a_chip_of_ones_own_can_be_compared() -> None:
    own = EnergyProfile(name="mine", synop_j=1e-12, mac_j=3e-12, source="measured, 2026")
    assert break_even_rate(own, ann=own).with_memory == pytest.approx(3)


def test_the_baseline_takes_tensors() -> None:
    total = ann_baseline_j(torch.tensor([1e6, 2e6])).total_j
    torch.testing.assert_close(total, torch.tensor([0.23e-6, 0.46e-6]))


def test_the_document_quotes_the_break_even_rates() -> None:
    rows = []
    for snn in ("45nm-int8", "45nm-int8+sram-8kb", "loihi"):
        even = break_even_rate(snn)
        compute = "-" if even.compute_only is None else f"{even.compute_only:.2f}"
        rows.append(f"| {snn} | 45nm-int8 | {compute} | {even.with_memory:.2f} |")
    assert "\n".join(rows) in DOCUMENT.read_text()


def test_the_example_of_the_document_prints_what_it_says() -> None:
    code = DOCUMENT.read_text().split("```{code-cell} python\n")[1].split("```")[0]
    promised = code.split("print(breakdown)")[1].split("#")[1].splitlines()[0].strip()
    names: dict[str, object] = {}
    exec(code, names)
    assert str(names["breakdown"]) == promised
