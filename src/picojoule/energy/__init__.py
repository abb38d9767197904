"""Joules of counted operations, from figures that somebody published.

- A profile holds what one source says, with its citation; a figure the source does not give is
  None, and what it would price is reported as unpriced, never as zero.
- Where sources conflict each has a profile.
- Figures differ in what they contain: bare arithmetic, a SynOp of a whole chip, or arithmetic with
  memory apart. Compare within one kind.
"""

from picojoule.energy.baseline import BreakEven, ann_baseline_j, break_even_rate
from picojoule.energy.breakdown import EnergyBreakdown
from picojoule.energy.energy_profile import EnergyProfile, MemoryCost
from picojoule.energy.joules import energy_j
from picojoule.energy.limits import core_load
from picojoule.energy.lookup import memories, memory_cost, profile, profiles
from picojoule.energy.network import NetworkEnergy, network_energy

__all__ = [
    "BreakEven",
    "EnergyBreakdown",
    "EnergyProfile",
    "MemoryCost",
    "NetworkEnergy",
    "ann_baseline_j",
    "break_even_rate",
    "core_load",
    "energy_j",
    "memories",
    "memory_cost",
    "network_energy",
    "profile",
    "profiles",
]
