"""What stays known of a model from one forward pass to the next."""

from __future__ import annotations

from weakref import WeakKeyDictionary, WeakSet

from torch import nn

from picojoule.synops.watch.spike_values import SpikeValues
from picojoule.synops.watch.spiking import Spiking


class Learned:
    """What a Monitor has learned of the model's modules in its first forward pass."""

    def __init__(self) -> None:
        self.kinds: WeakKeyDictionary[nn.Module, Spiking] = WeakKeyDictionary()
        self.values = SpikeValues()
        self.shared: WeakSet[nn.Module] = WeakSet()  # by several layers
        self.heard: set[str] = set()  # names of lines that have been given spikes
        self.states: set[str] = set()  # buffers in which a pass has left spikes
        self.complete = False
