"""How to count other libraries' modules whose functions hide what arrives where."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from torch import Tensor, nn

from picojoule.synops.formulas import Formula, Synapses, fixed
from picojoule.synops.formulas.convolutions import convolution


def peer_formula(module: nn.Module) -> Formula | None:
    """The formula for a module as a whole; None where its functions show what there is to count."""
    kind: Any = type(module)
    return _formula(kind)


@lru_cache(maxsize=1024)
def _formula(kind: type) -> Formula | None:
    for base in kind.__mro__:
        if base.__module__.startswith("snntorch.") and base.__name__ in _SNNTORCH:
            return _SNNTORCH[base.__name__]
    return None


def _sconv2dlstm(module: Any, x: Tensor, *_: Any, **__: Any) -> list[Synapses]:
    """One convolution of what arrives and of the hidden values, which are potentials: their channels apart."""
    conv, channels = module.conv, module.in_channels
    settings = (None, conv.stride, conv.padding, conv.dilation)
    return [
        *convolution(x, conv.weight[:, :channels], *settings),
        *convolution(module.mem, conv.weight[:, channels:], *settings),
    ]


def _one_to_one(_: Any, x: Tensor) -> list[Synapses]:
    """A neuron's spikes arrive at the neuron itself, through one weight for all or for each."""
    return [fixed(x, fan_out=1.0)]


_SNNTORCH: dict[str, Formula] = {"SConv2dLSTM": _sconv2dlstm, "RecurrentOneToOne": _one_to_one}
