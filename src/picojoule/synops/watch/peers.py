"""The neurons of other libraries, known by the names of their classes and packages, unimported.

Each reader tells where a neuron has its time, whether it gives spikes or potentials, and what a spike is
worth. A class of these packages that is named nowhere here has its values judged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from picojoule.synops.magnitudes import Unit
from picojoule.synops.watch.origins import version
from picojoule.synops.watch.spiking import Spiking, unit_of_class

Reader = Callable[[Any, frozenset[str]], Spiking]


def peer(module: nn.Module) -> Spiking | None:
    """What is known of another library's neuron; None if it is none."""
    kind: Any = type(module)
    reader = _reader(kind)
    if reader is None:
        return None
    known = reader(module, _names(kind))
    own_weights = any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))
    return known._replace(closed=known.closed and not own_weights)


@lru_cache(maxsize=1024)
def _names(kind: type) -> frozenset[str]:
    return frozenset(base.__name__ for base in kind.__mro__)


@lru_cache(maxsize=1024)
def _reader(kind: type) -> Reader | None:
    for base in kind.__mro__:
        path, name = base.__module__, base.__name__
        for start, bases, reader in _PACKAGES:
            if f"{path}.".startswith(f"{start}.") and (not bases or name in bases):
                return reader
    return None


# ---- snnTorch: a step a call, or time first; a spike is worth `graded_spikes_factor`

_FACTORS: Any = WeakIdKeyDictionary()
_SNNTORCH = ("SpikingNeuron", "LeakyParallel")
_SNNTORCH_OVER_TIME = frozenset(["StateLeaky", "LeakyParallel", "AssociativeLeaky"])
# their own products are synapses, and no loop over time hides them
_SNNTORCH_OPEN = frozenset(["AssociativeLeaky", "LeakyParallel"])


def _snntorch(module: Any, names: frozenset[str]) -> Spiking:
    potentials = names & {"StateLeaky", "AssociativeLeaky"} and not module.output
    mixes = "AssociativeLeaky" in names and module.use_q_projection  # spikes, times a query
    unit: Any = _graded(getattr(module, "graded_spikes_factor", 1.0))
    if isinstance(unit, float) and unit_of_class(module, "snntorch") != 1.0:
        unit = "whole"
    return Spiking(
        "tb" if names & _SNNTORCH_OVER_TIME else "loop",
        spikes=not (potentials or mixes),
        signed=True,
        closed=not names & _SNNTORCH_OPEN,
        unit=unit,
    )


def _graded(factor: Any) -> Unit:
    """What a spike is worth: a fixed factor as a number, read once; a learned factor, or one per channel, as the tensor."""
    if not isinstance(factor, Tensor):
        return abs(float(factor))
    if factor.requires_grad or factor.numel() != 1:
        return factor.abs()  # with its graph: the number of spikes does not depend on it
    known: tuple[int | None, float] | None = _FACTORS.get(factor)
    if known is None or known[0] != version(factor):
        known = _FACTORS[factor] = version(factor), abs(float(factor))
    return known[1]


# ---- SpikingJelly: time first in step mode "m" and in those that know no other

# fmt: off
_WHOLE = frozenset([
    "ActivationAwareIFNode", "CUBALIFNode", "ComplementaryLIFNode", "EIFNode", "GatedLIFNode", "HalfThresholdIFNode",
    "IFNode", "ILCCUBALIFNode", "ILCIFNode", "ILCLIFNode", "ILIFNode", "IzhikevichNode", "KLIFNode", "LIFNode",
    "MPBNLIFNode", "MaskedPSN", "OTTTLIFNode", "PSN", "ParametricLIFNode", "QIFNode", "RAFNode", "SLTTLIFNode",
    "SimpleIFNode", "SimpleLIFNode", "SlidingPSN", "TernaryIFNode", "TernaryLIFNode",
])
# fmt: on


def _spikingjelly(module: Any, names: frozenset[str]) -> Spiking:
    over_time = "MultiStepModule" in names or getattr(module, "step_mode", "s") == "m"
    named = type(module).__module__.startswith("spikingjelly.")
    smooth = getattr(getattr(module, "surrogate_function", None), "spiking", True) is False
    unit: Any = 1.0 if named and type(module).__name__ in _WHOLE and not smooth else None
    return Spiking(
        "tb" if over_time else "loop",
        spikes=not names & {"NonSpikingBaseNode", "NoisyNonSpikingBaseNode"},
        signed=True,
        closed=not names & {"PSN", "MaskedPSN", "SlidingPSN"},  # their weights are over time steps
        unit="any" if "FewSpikeNode" in names else unit,
    )


def _clock_driven(_: Any, names: frozenset[str]) -> Spiking:
    """SpikingJelly 0.0.0.0.12: a class for each mode."""
    over_time = any(name.startswith("MultiStep") for name in names)
    return Spiking("tb" if over_time else "loop", signed=True, unit=None)


# ---- Norse: cells and their sequences, time first; LI is a leaky integrator

_NORSE = ("SNN", "SNNCell", "SNNRecurrent", "SNNRecurrentCell", "CobaLIFCell", "LIFCorrelation", "LILinearCell")  # fmt: skip
_NORSE_OVER_TIME = frozenset(["SNN", "SNNRecurrent"])
_NORSE_POTENTIALS = frozenset(["LI", "LICell", "LILinearCell", "LIBoxCell"])


def _norse(module: Any, names: frozenset[str]) -> Spiking:
    named = type(module).__module__.startswith("norse.")
    return Spiking(
        "tb" if names & _NORSE_OVER_TIME else "loop",
        spikes=not names & _NORSE_POTENTIALS,
        signed=not named,
        closed=not names & {"LIFCorrelation"},  # it is given its weights
        unit=1.0 if named else None,
    )


# ---- sinabs: batch, then time, or both in one axis


def _sinabs(module: Any, names: frozenset[str]) -> Spiking:
    made_by = module.spike_fn if module.does_spike else None
    kind = made_by if isinstance(made_by, type) else type(made_by)
    unit: Any = unit_of_class(module, "sinabs")
    if made_by is not None and not kind.__module__.startswith("sinabs."):
        unit = None
    return Spiking(
        "folded" if "SqueezeMixin" in names else "bt",
        spikes=bool(module.does_spike),
        signed=unit != 1.0,
        unit=unit,
    )


_PACKAGES: tuple[tuple[str, tuple[str, ...], Reader], ...] = (
    ("snntorch", _SNNTORCH, _snntorch),
    ("spikingjelly.clock_driven.neuron", (), _clock_driven),
    ("spikingjelly.activation_based.neuron", (), _spikingjelly),
    ("norse", _NORSE, _norse),
    ("sinabs.layers", ("StatefulLayer",), _sinabs),
)
