"""Energy of bare arithmetic and of memory, by technology.

To add one: an entry with its source, its line in tests/golden/energy_profiles.txt and its row in
docs/energy.md; the contract test says what is missing.
"""

from __future__ import annotations

from picojoule.energy.energy_profile import EnergyProfile, MemoryCost

HOROWITZ = "Horowitz, ISSCC 2014, doi:10.1109/ISSCC.2014.6757323"
STEP = "Shen et al., STEP benchmark, 2025, openreview.net/forum?id=SzwU2XrXIS"
YAN = "Yan, Bai and Wong, arXiv:2409.08290, 2024 (as quoted by spyx)"


def _horowitz(precision: str, add_j: float, mac_j: float) -> EnergyProfile:
    """A MAC is one multiplication and one addition of the same precision."""
    return EnergyProfile(
        name=f"45nm-{precision}",
        synop_j=add_j,
        mac_j=mac_j,
        technology_nm=45,
        voltage_v=0.9,
        evidence="modelled",
        pre_silicon=True,
        scope="compute only",
        source=HOROWITZ,
        includes="arithmetic only",
        arithmetic_only=True,
    )


def _yan(memory: str, pj_per_bit: float) -> EnergyProfile:
    return EnergyProfile(
        name=f"22nm-{memory}",
        synop_j=0.05448e-12,
        memory_j_per_byte=8 * pj_per_bit / 1e12,
        technology_nm=22,
        evidence="modelled",
        pre_silicon=True,
        scope="compute and memory",
        source=YAN,
        includes=f"accumulation; memory apart ({memory}, {pj_per_bit:g} pJ/bit)",
        note="routing a spike costs 3.0 pJ/bit more, which is not included",
    )


CMOS = (
    _horowitz("fp32", add_j=0.9e-12, mac_j=4.6e-12),
    _horowitz("fp16", add_j=0.4e-12, mac_j=1.5e-12),
    _horowitz("int32", add_j=0.1e-12, mac_j=3.2e-12),
    _horowitz("int8", add_j=0.03e-12, mac_j=0.23e-12),
    _yan("on-chip", pj_per_bit=0.25),
    _yan("dram", pj_per_bit=20),
)


def _access(name: str, pj_per_64_bit: float, includes: str, *, verified: bool) -> MemoryCost:
    return MemoryCost(
        name=name,
        j_per_byte=pj_per_64_bit / 8 / 1e12,
        source=HOROWITZ,
        includes=f"{includes}, 64-bit accesses",
        verified=verified,
    )


# That an SRAM figure is for 64 bits is checked for 8 KB (table 3 of PMC8934428 halves it for a load
# of 32 bits) and recalled for the larger two.
MEMORIES = (
    MemoryCost(
        name="step", j_per_byte=24.96e-12, source=STEP, includes="reference cost, 3.12 pJ/bit"
    ),
    _access("sram-8kb", 10, "45 nm SRAM of 8 KB", verified=True),
    _access("sram-32kb", 20, "45 nm SRAM of 32 KB", verified=False),
    _access("sram-1mb", 100, "45 nm SRAM of 1 MB", verified=False),
    _access("dram", 1300, "DRAM, an approximate figure", verified=True),
)
