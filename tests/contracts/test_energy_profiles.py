"""What every energy profile keeps, and that its figures are those written down by hand."""

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from picojoule.energy import (
    EnergyProfile,
    MemoryCost,
    core_load,
    energy_j,
    memories,
    profile,
    profiles,
)

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "energy_profiles.txt"
DOCUMENT = ROOT / "docs" / "energy.md"
FIGURES = ("synop_j", "mac_j", "neuron_update_j", "memory_j_per_byte")
ZEROS = {True: "skipped", False: "cost", None: "?"}
every_profile = pytest.mark.parametrize("chip", profiles(), ids=lambda chip: chip.name)
every_memory = pytest.mark.parametrize("memory", memories(), ids=lambda memory: memory.name)


def pj(joules: float | None) -> str:
    return "-" if joules is None else f"{joules * 1e12:.6g}"


def plain(number: float | None) -> str:
    return "-" if number is None else f"{number:g}"


def golden_line(entry: EnergyProfile | MemoryCost) -> str:
    sure = "read" if entry.verified else "recalled"
    if isinstance(entry, MemoryCost):
        cells = [f"+{entry.name}", *"---", pj(entry.j_per_byte), *"------", sure]
    else:
        figures = [pj(getattr(entry, figure)) for figure in FIGURES]
        silicon = {True: "before", False: "yes", None: "-"}[entry.pre_silicon]
        kind = [entry.evidence, silicon, entry.scope.replace(" ", "-")]
        cells = [
            entry.name,
            *figures,
            plain(entry.technology_nm),
            plain(entry.voltage_v),
            *kind,
            ZEROS[entry.skips_zero_weights],
            sure,
        ]
    widths = (17, 9, 7, 8, 8, 4, 6, 11, 8, 19, 8, 9)
    padded = "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{padded}{entry.source}"


def document_row(entry: EnergyProfile | MemoryCost) -> str:
    mark = "" if entry.verified else " (recalled)"
    if isinstance(entry, MemoryCost):
        figures = [*"---", pj(entry.j_per_byte), *"-----"]
        name = f"`+{entry.name}`"
    else:
        figures = [pj(getattr(entry, figure)) for figure in FIGURES]
        figures += [plain(entry.technology_nm), plain(entry.voltage_v)]
        figures += [f"{entry.evidence}{', pre-silicon' if entry.pre_silicon else ''}", entry.scope]
        figures += [ZEROS[entry.skips_zero_weights]]
        name = f"`{entry.name}`"
    return f"| {' | '.join([name + mark, *figures, entry.includes, entry.source])} |"


def test_names_are_unique_and_free_of_the_sign_that_adds_a_memory() -> None:
    names = [entry.name for entry in (*profiles(), *memories())]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "+" in name or name != name.lower()]


def test_the_figures_are_those_of_the_golden_table() -> None:
    lines = GOLDEN.read_text().splitlines()
    written = [line for line in lines if line and not line.startswith("#")]
    assert [golden_line(entry) for entry in (*profiles(), *memories())] == written


def test_the_document_shows_the_same_table() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert rows == [document_row(entry) for entry in (*profiles(), *memories())]


@every_profile
def test_its_source_can_be_found(chip: EnergyProfile) -> None:
    assert re.search(r"\b(19|20)\d\d\b", chip.source)
    assert re.search(r"doi:10\.|arXiv:|openreview", chip.source)
    assert chip.includes != "not stated"


@every_memory
def test_a_memory_has_a_source_and_a_plausible_price(memory: MemoryCost) -> None:
    assert re.search(r"\b(19|20)\d\d\b", memory.source)
    assert 1e-15 < memory.j_per_byte < 1e-9


@every_profile
def test_it_has_joules_or_says_what_its_limits_are(chip: EnergyProfile) -> None:
    figures = [getattr(chip, figure) for figure in FIGURES]
    given = [figure for figure in figures if figure is not None]
    assert (chip.synop_j is not None) != bool(chip.limits)
    assert all(1e-15 < figure < 1e-7 for figure in given)


@every_profile
def test_its_technology_is_a_size_or_unknown(chip: EnergyProfile) -> None:
    assert chip.technology_nm is None or 3 <= chip.technology_nm <= 200
    assert chip.voltage_v is None or 0.3 <= chip.voltage_v <= 2


@every_profile
def test_it_says_how_far_to_trust_its_joules(chip: EnergyProfile) -> None:
    assert chip.evidence != "not stated"
    assert (chip.pre_silicon is None) == (chip.evidence == "vendor")
    assert chip.evidence != "measured" or not chip.pre_silicon
    if chip.has_joules() and chip.scope == "not stated":
        assert "as its authors count it" in chip.includes
    assert chip.arithmetic_only == (chip.scope == "compute only")
    assert (chip.memory_j_per_byte is not None) == (chip.scope == "compute and memory")
    assert chip.evidence in chip.grade()
    assert chip.scope in chip.grade()


@every_profile
def test_what_it_does_with_zero_weights_has_a_source(chip: EnergyProfile) -> None:
    assert (chip.skips_zero_weights is None) == (not chip.zero_weights)
    assert not chip.zero_weights or re.search(r"\b(19|20)\d\d\b", chip.zero_weights)
    for weights in ("all", "nonzero"):
        note = chip.zero_weights_note(weights)
        assert chip.name in note
        assert (chip.zero_weights or "no source says") in note


@pytest.mark.parametrize(
    ("weights", "skips", "note"),
    [
        ("all", True, "are counted as synapses, which mine skips (so): weights='nonzero' leaves them out."),
        ("all", False, "are counted as synapses, as mine spends on them (so)."),
        ("nonzero", True, "are not counted, as mine skips them (so)."),
        ("nonzero", False, "are not counted, but mine spends on them (so): weights='all' counts what it spends."),
    ],
)  # fmt: skip
def test_a_note_says_what_a_count_of_zero_weights_is_worth(
    weights: str, skips: bool, note: str
) -> None:
    mine = EnergyProfile(
        name="mine", source="own", synop_j=1e-12, skips_zero_weights=skips, zero_weights="so"
    )
    assert mine.zero_weights_note(weights) == f"Zero weights {note}"


@every_profile
def test_it_cannot_be_changed(chip: EnergyProfile) -> None:
    with pytest.raises(FrozenInstanceError):
        chip.synop_j = 1e-12  # type: ignore[misc]


@every_profile
def test_it_is_found_by_its_name_and_prices_a_synop(chip: EnergyProfile) -> None:
    assert profile(chip.name) is chip
    if chip.limits:
        with pytest.raises(ValueError, match=r"no energy per operation.*core_load"):
            energy_j(chip.name, synops=1.0)
        with pytest.raises(ValueError, match="no number for the SynOps per second"):
            core_load(chip.name, 1.0)
    else:
        assert energy_j(chip.name, synops=2.0).synops_j == 2 * chip.synop_j


@every_memory
@every_profile
def test_memory_is_added_to_bare_arithmetic_only(chip: EnergyProfile, memory: MemoryCost) -> None:
    name = f"{chip.name}+{memory.name}"
    if not chip.arithmetic_only:
        with pytest.raises(ValueError, match="memory would be counted twice"):
            profile(name)
        return
    with_memory = profile(name)
    assert with_memory.memory_j_per_byte == memory.j_per_byte
    assert with_memory.scope == "compute and memory"
    with pytest.raises(ValueError, match="memory would be counted twice"):
        with_memory.with_memory(memory)
    with pytest.raises(ValueError, match="memory would be counted twice"):
        profile(f"{name}+{memory.name}")
    assert (with_memory.synop_j, with_memory.mac_j) == (chip.synop_j, chip.mac_j)
    assert chip.source in with_memory.source
    assert memory.source in with_memory.source
    assert with_memory.verified == (chip.verified and memory.verified)


def test_conflicting_sources_point_at_each_other() -> None:
    pairs = [
        ("truenorth", "truenorth-2014"),
        ("spinnaker2-2019", "spinnaker2-2021"),
        ("odin", "odin-incremental"),
    ]
    for one, other in pairs:
        assert other in profile(one).note
        assert one in profile(other).note
