"""Neurons of published repositories that are in no package: known by the names that they share.

Repositories copy and rename; a name tells the family, and the module's own attributes where its time is. What
a module is seen to do (:mod:`picojoule.synops.watch.search`) goes before its name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from torch import nn

from picojoule.synops.watch.spiking import Spiking

# SpikingJelly's classes up to 0.0.0.0.12 and copies of them; MS-ResNet's; parallel spiking neurons
_TIME_FIRST = re.compile(r"(MultiStep\w*(Node|LIF|IF|Neuron)\w*|mem_update|(Masked|Sliding)?PSN)")


def repository_neuron(module: nn.Module) -> Spiking | None:
    """What the names of a module's classes say; None if they say nothing."""
    kind: Any = type(module)
    family = _family(kind)
    if family is None:
        return None
    supposed = Spiking("tb", signed=True, closed=False, unit=None, sure=False)
    if family == "time first":
        return supposed
    return _node(module, supposed)


def _node(module: Any, supposed: Spiking) -> Spiking:
    """A class on a `BaseNode`: SpikingJelly's with a step mode, BrainCog's with a number of steps."""
    if getattr(module, "step_mode", None) == "m":
        return supposed
    steps = getattr(module, "step", None)
    if getattr(module, "layer_by_layer", False) and isinstance(steps, int):
        return supposed._replace(time_axis="folded", time_first=True, num_timesteps=steps)
    return supposed._replace(time_axis="loop")


@lru_cache(maxsize=1024)
def _family(kind: type) -> str | None:
    names = [base.__name__ for base in kind.__mro__]
    if any(_TIME_FIRST.fullmatch(name) for name in names):
        return "time first"
    return "node" if "BaseNode" in names else None
