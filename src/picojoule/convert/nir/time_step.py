"""Between NIR's differential equations in seconds and shares lost in one time step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from picojoule.convert.nir.arrays import Array

Discretisation = Literal["euler", "exponential"]


@dataclass(frozen=True)
class TimeStep:
    """How `tau dv/dt = R I - v` becomes a step of `dt` seconds.

        v[t] = (1 - lost) * v[t-1] + lost * R * I[t]

    "euler" has `lost = dt / tau`, "exponential" the exact `lost = 1 - exp(-dt / tau)` for an
    input that is constant during the step.

    Raises:
        ValueError: `dt` is not > 0, or the discretisation is unknown.
    """

    dt: float = 1e-4
    discretisation: Discretisation = "euler"

    def __post_init__(self) -> None:
        if not 0 < self.dt < float("inf"):
            raise ValueError(f"NIR: dt is {self.dt}, expected seconds, > 0.")
        if self.discretisation not in ("euler", "exponential"):
            raise ValueError(
                f"NIR: discretisation is {self.discretisation!r}, expected 'euler' or 'exponential'."
            )

    def tau(self, lost: Array) -> Array:
        """The time constant, in seconds, of a value that loses the share `lost` in a step, 0 < lost < 1."""
        return self.dt / (lost if self.discretisation == "euler" else -np.log1p(-lost))

    def lost(self, tau: Array, where: str) -> Array:
        """Share lost in a step by what has the time constant `tau`, in seconds.

        Raises:
            ValueError: a step is not shorter than the time constant.
        """
        steps = np.asarray(tau, dtype=np.float64) / self.dt
        lost = 1 / steps if self.discretisation == "euler" else -np.expm1(-1 / steps)
        if not ((lost > 0) & (lost < 1)).all():
            raise ValueError(
                f"from_nir: {where} has a time constant of {np.min(tau):.4g} to {np.max(tau):.4g} s, "
                f"which needs steps shorter than that; dt is {self.dt:.4g} s. Pass dt=, in seconds, "
                "as the program that wrote the file used it, or discretisation='exponential'."
            )
        return np.asarray(lost)


def per_step(tau: Array | None, alpha: Array | None) -> Array | None:
    """Share lost per step from whichever of `tau`, in steps, and `alpha` there is, in float64."""
    if alpha is not None:
        return 1 - alpha.astype(np.float64)
    return None if tau is None else np.asarray(-np.expm1(-1 / tau.astype(np.float64)))
