"""Picojoule: spiking neural networks trained to an energy budget."""

from typing import TYPE_CHECKING, Any

from picojoule import activation, budget, convert, energy, hooks, layers, ops, synops
from picojoule.budget.budget import Budget
from picojoule.convert import Network, from_model, from_nir, to_nir
from picojoule.layers import (
    check_finite,
    checkpoint_time,
    pack_spikes,
    reset_states,
    set_batch_size,
    zero_grad,
)
from picojoule.ops.slow_path import SlowPathNote
from picojoule.report import Monitor, Report

if TYPE_CHECKING:
    from picojoule.training import load

__version__ = "0.1.0.dev0"

__all__ = [
    "Budget",
    "Monitor",
    "Network",
    "Report",
    "SlowPathNote",
    "__version__",
    "activation",
    "budget",
    "check_finite",
    "checkpoint_time",
    "convert",
    "energy",
    "from_model",
    "from_nir",
    "hooks",
    "layers",
    "load",
    "ops",
    "pack_spikes",
    "reset_states",
    "set_batch_size",
    "synops",
    "to_nir",
    "zero_grad",
]

if not TYPE_CHECKING:  # to which any name would then be known

    def __getattr__(name: str) -> Any:
        """What needs more than a layer does, imported at its first use."""
        if name == "load":
            from picojoule.training import load

            return load
        raise AttributeError(f"module 'picojoule' has no attribute {name!r}")
