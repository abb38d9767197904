"""Which run of a sweep: its seed, its budget and its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Setting = tuple[str, Any]


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        seed: of the run.
        budget: in the sweep's unit; None for the unconstrained network.
        settings: name and value on each of the sweep's axes.
    """

    seed: int
    budget: float | None
    settings: tuple[Setting, ...] = ()

    @property
    def name(self) -> str:
        """Its folder in the sweep's.

        Example:
            >>> SweepRun(1, 0.25).name, SweepRun(1, None, (("num_timesteps", 3),)).name
            ('seed1/budget-0.25', 'seed1/unconstrained,num_timesteps=3')
        """
        budget = "unconstrained" if self.budget is None else f"budget-{self.budget:.15g}"
        settings = (f",{name}={quote(_text(value), safe='')}" for name, value in self.settings)
        return f"seed{self.seed}/{budget}{''.join(settings)}"


def settings_text(settings: tuple[Setting, ...]) -> str:
    """Names and values for a reader.

    Example:
        >>> settings_text((("num_timesteps", 3), ("learning_rate", 1e-3)))
        'num_timesteps=3, learning_rate=0.001'
    """
    return ", ".join(f"{name}={_text(value)}" for name, value in settings)


def _text(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
