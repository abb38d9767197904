"""Picojoule: spiking neural networks trained to an energy budget."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from picojoule.version import __version__

if TYPE_CHECKING:  # the same names as in _HOMES and _PACKAGES
    from picojoule import activation, budget, convert, energy, events, hooks, layers, ops, synops
    from picojoule.budget.budget import Budget
    from picojoule.convert import Network, from_nir, to_nir
    from picojoule.convert.from_model import from_model
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
    from picojoule.training import load

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
    "events",
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

# imported when it is first asked for: who only builds neurons does not wait for the counting, nor a shell's TAB for PyTorch
_HOMES = {
    "Budget": "picojoule.budget.budget",
    "Monitor": "picojoule.report",
    "Network": "picojoule.convert",
    "Report": "picojoule.report",
    "SlowPathNote": "picojoule.ops.slow_path",
    "check_finite": "picojoule.layers",
    "checkpoint_time": "picojoule.layers",
    "from_model": "picojoule.convert",
    "from_nir": "picojoule.convert",
    "load": "picojoule.training",
    "pack_spikes": "picojoule.layers",
    "reset_states": "picojoule.layers",
    "set_batch_size": "picojoule.layers",
    "to_nir": "picojoule.convert",
    "zero_grad": "picojoule.layers",
}
_PACKAGES = {
    "activation",
    "budget",
    "convert",
    "energy",
    "events",
    "hooks",
    "layers",
    "ops",
    "plots",
    "report",
    "synops",
}


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"picojoule.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'picojoule' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
