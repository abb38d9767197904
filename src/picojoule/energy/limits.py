"""Chips that publish how much a core can take instead of what an operation costs."""

from __future__ import annotations

from typing import overload

from torch import Tensor

from picojoule.energy.energy_profile import EnergyProfile
from picojoule.energy.lookup import profile as find_profile


@overload
def core_load(profile: str | EnergyProfile, synops_per_second: Tensor) -> Tensor: ...
@overload
def core_load(profile: str | EnergyProfile, synops_per_second: float) -> float: ...
def core_load(profile: str | EnergyProfile, synops_per_second: float | Tensor) -> float | Tensor:
    """Share of a core's limit that a layer uses; above 1 the chip cannot keep up.

        load = synops_per_second / max_synops_per_second_per_core

    Args:
        profile: a name, or a profile of your own, with a limit.
        synops_per_second: SynOps/s of the layers, one core each, any shape; differentiable.

    Returns:
        The load without unit, in the same shape.

    Raises:
        ValueError: the profile has no number for its limit.

    Example:
        >>> from dataclasses import replace
        >>> from picojoule.energy import profile
        >>> speck = replace(profile("speck"), max_synops_per_second_per_core=2e7)
        >>> core_load(speck, 5e6)
        0.25
    """
    chosen = find_profile(profile)
    limit = chosen.max_synops_per_second_per_core
    if limit is None:
        raise ValueError(
            f"core_load: {chosen.name!r} has no number for the SynOps per second of a core. Ask the vendor or measure "
            f"it, then pass dataclasses.replace(profile({chosen.name!r}), max_synops_per_second_per_core=...)."
        )
    return synops_per_second / limit
