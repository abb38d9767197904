"""Which modules make spikes, and where their outputs have time; peers are known by name, unimported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from picojoule.layers import SpikingMaxPooling2dLayer, SqueezeMixin, StatefulLayer, SumPool2d

TimeAxis = Literal["bt", "tb", "folded", "loop", "outer"]
LEADING = {"bt": 2, "tb": 2, "folded": 1, "loop": 1, "outer": 1}
_PASSING = (SumPool2d, SpikingMaxPooling2dLayer)
_NORSE_WITHOUT_SPIKES = ("LI", "LICell", "LILinearCell", "LIBoxCell")


class Spiking(NamedTuple):
    """A module with its own dynamics: where its time is, what comes out, what is inside.

    Args:
        time: the axes of its output.
        spikes: whether the output is spikes.
        signed: whether they may be negative.
        closed: whether nothing is counted inside, except in modules that it calls.
    """

    time: TimeAxis
    spikes: bool = True
    signed: bool = False
    closed: bool = True


def passes_spikes_on(module: nn.Module) -> bool:
    """Whether the output is spikes of the input's unit, though it is made in a way that hides this."""
    return isinstance(module, _PASSING)


def spiking(
    module: nn.Module, more: Sequence[type[nn.Module]] = (), time: TimeAxis | None = None
) -> Spiking | None:
    """What is known of a module's spikes; None if it is an ordinary one."""
    if isinstance(module, tuple(more)):
        return Spiking(time or "loop", signed=True, closed=False)
    if isinstance(module, StatefulLayer):
        where: TimeAxis = "folded" if isinstance(module, SqueezeMixin) else "bt"
        if passes_spikes_on(module):
            return None
        return Spiking(where, spikes=module.does_spike, signed=_may_be_negative(module))
    kind: Any = type(module)
    family = _family(kind)
    if family is None:
        return None
    known: Spiking = _PEERS[family](module)
    return known._replace(closed=not _own_weights(module))


def _may_be_negative(layer: Any) -> bool:
    """Whether spikes are made by a function of the user's own."""
    made_by = getattr(layer, "spike_fn", None)
    kind = made_by if isinstance(made_by, type) else type(made_by)
    return made_by is not None and not kind.__module__.startswith("picojoule.")


def carries_state(module: nn.Module) -> Tensor:
    """Whether a neuron layer starts with a potential other than zero, a boolean scalar."""
    for name in ("v_mem", "mem", "v"):  # Picojoule and sinabs, snnTorch, SpikingJelly
        state = getattr(module, name, None)
        if isinstance(state, Tensor) and state.numel() > 0:
            least, most = state.detach().aminmax()  # several times as fast as any()
            return (least != 0) | (most != 0)
    return torch.zeros((), dtype=torch.bool)


def sums_of_own_layer(module: nn.Module) -> Tensor | None:
    """What a layer of this library already added up of its output; others may have changed that since."""
    own = isinstance(module, StatefulLayer) and type(module).__module__.startswith("picojoule.")
    return module.output_sums if own else None  # type: ignore[return-value]


def _own_weights(module: nn.Module) -> bool:
    return any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))


@lru_cache(maxsize=1024)
def _family(kind: type) -> str | None:
    for base in kind.__mro__:
        package, path, name = base.__module__.partition(".")[0], base.__module__, base.__name__
        if package == "snntorch" and name == "SpikingNeuron":
            return "snntorch"
        if path.startswith("spikingjelly.activation_based.neuron"):
            return "spikingjelly"
        if package == "norse" and name in ("SNN", "SNNCell", "SNNRecurrent", "SNNRecurrentCell"):
            return "norse"
        if path.startswith("sinabs.layers") and name == "StatefulLayer":
            return "sinabs"
    return None


def _spikingjelly(module: Any) -> Spiking:
    return Spiking("tb" if getattr(module, "step_mode", "s") == "m" else "loop", signed=True)


def _norse(module: Any) -> Spiking:
    bases = {base.__name__ for base in type(module).__mro__}
    steps = bases & {"SNN", "SNNRecurrent"}
    return Spiking(
        "tb" if steps else "loop", spikes=type(module).__name__ not in _NORSE_WITHOUT_SPIKES
    )


def _sinabs(module: Any) -> Spiking:
    folded = any(base.__name__ == "SqueezeMixin" for base in type(module).__mro__)
    return Spiking("folded" if folded else "bt", spikes=bool(module.does_spike))


_PEERS: dict[str, Any] = {
    "snntorch": lambda _: Spiking("loop"),
    "spikingjelly": _spikingjelly,
    "norse": _norse,
    "sinabs": _sinabs,
}
