"""Which connections are worth taking away: a property of the chip, and of how they are counted."""

from __future__ import annotations

import warnings
from typing import Literal

from picojoule.budget.density import Kind
from picojoule.budget.violation import BudgetWarning
from picojoule.energy import EnergyProfile
from picojoule.energy import profile as find_profile


def check_pays(
    profile: str | EnergyProfile | None,
    kind: Kind | Literal["keep"],
    weights: Literal["all", "nonzero"],
) -> None:
    """Check that what a budget saves by fewer connections is saved on the chip, too.

    | | zero weights counted ("all") | not counted ("nonzero") |
    | --- | --- | --- |
    | "keep" | pays | refused on a chip that spends on zero weights |
    | "prune", "fixed" | refused: nothing would be saved | refused on such a chip; warned of if it is not known |
    | "thin" | warned of: what goes into thinned channels still counts | pays: these channels need not be on the chip |

    Args:
        profile: the chip; None for a budget on SynOps of no chip.
        kind: what is taken away.
        weights: whether the monitor counts zero weights as synapses.

    Raises:
        ValueError: the budget would be kept on paper alone, or nothing would be saved.

    Warns:
        BudgetWarning: it is not known whether the chip skips zero weights, or the count is too high.

    Example:
        >>> check_pays("loihi", "prune", "nonzero")
        >>> check_pays("odin", "thin", "nonzero")
    """
    chip = None if profile is None else find_profile(profile)
    single = kind in ("prune", "fixed")
    if weights == "all":
        if single:
            raise ValueError(
                f"Budget: synapses={kind!r} takes single weights away, and the monitor counts zero weights as synapses, "
                f"so nothing would be saved. {_way_on(chip)}"
            )
        if kind == "thin":
            _warn(
                "Budget: the monitor counts zero weights as synapses, so what goes into thinned channels still counts, "
                "though they need not be on the chip. Monitor(model, weights='nonzero') counts the network without them."
            )
    elif chip is not None and kind != "thin":
        _check_chip(chip, kind, single)


def _check_chip(chip: EnergyProfile, kind: str, single: bool) -> None:
    """Where single weights that are zero are not counted, check that the chip does not spend on them."""
    if chip.skips_zero_weights is False:
        why = f"{chip.name!r} spends on zero weights ({chip.zero_weights or 'skips_zero_weights=False'})"
        if single:
            raise ValueError(f"Budget: synapses={kind!r} saves nothing: {why}. {_way_on(chip)}")
        raise ValueError(
            f"Budget: {why}, and the monitor does not count them. Make it Monitor(model, weights='all')."
        )
    if single and chip.skips_zero_weights is None:
        _warn(
            f"Budget: no source says whether {chip.name!r} skips zero weights; the joules are as if it did. If you know, "
            f"say so: dataclasses.replace(profile({chip.name!r}), skips_zero_weights=..., zero_weights='source'). "
            "synapses='thin' pays in either case."
        )


def _way_on(chip: EnergyProfile | None) -> str:
    if chip is not None and chip.skips_zero_weights is False:
        return "Take synapses='thin', whole channels, with Monitor(model, weights='nonzero'), or 'keep' with weights='all'."
    return "Make it Monitor(model, weights='nonzero')."


def _warn(message: str) -> None:
    warnings.warn(message, BudgetWarning, stacklevel=3)
