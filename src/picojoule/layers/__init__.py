"""Neuron layers and the layers that spiking networks need around them: parameters and state."""

from picojoule.layers.alif import ALIF, ALIFSqueeze
from picojoule.layers.channel_shift import ChannelShift
from picojoule.layers.check_finite import check_finite
from picojoule.layers.checkpoint_time import checkpoint_time
from picojoule.layers.crop2d import Cropping2dLayer
from picojoule.layers.exp_leak import ExpLeak, ExpLeakSqueeze
from picojoule.layers.handles import HookHandles
from picojoule.layers.iaf import IAF, IAFSqueeze
from picojoule.layers.lif import LIF, LIFSqueeze
from picojoule.layers.max_pool import SpikingMaxPooling2dLayer, SpikingMaxPooling2dLayerSqueeze
from picojoule.layers.merge import Merge
from picojoule.layers.pack_spikes import pack_spikes
from picojoule.layers.pool2d import SumPool2d
from picojoule.layers.quantized import NeuromorphicReLU, QuantizeLayer
from picojoule.layers.recurrent import (
    ALIFRecurrent,
    ALIFRecurrentSqueeze,
    IAFRecurrent,
    IAFRecurrentSqueeze,
    LIFRecurrent,
    LIFRecurrentSqueeze,
)
from picojoule.layers.reshape import FlattenTime, Repeat, UnflattenTime
from picojoule.layers.squeeze import SqueezeError, SqueezeMixin
from picojoule.layers.stateful_layer import StatefulLayer
from picojoule.layers.to_spike import Img2SpikeLayer, Sig2SpikeLayer
from picojoule.layers.whole_model import (
    keep_samples,
    reset_states,
    set_batch_size,
    stateful_layers,
    zero_grad,
)

__all__ = [
    "ALIF",
    "IAF",
    "LIF",
    "ALIFRecurrent",
    "ALIFRecurrentSqueeze",
    "ALIFSqueeze",
    "ChannelShift",
    "Cropping2dLayer",
    "ExpLeak",
    "ExpLeakSqueeze",
    "FlattenTime",
    "HookHandles",
    "IAFRecurrent",
    "IAFRecurrentSqueeze",
    "IAFSqueeze",
    "Img2SpikeLayer",
    "LIFRecurrent",
    "LIFRecurrentSqueeze",
    "LIFSqueeze",
    "Merge",
    "NeuromorphicReLU",
    "QuantizeLayer",
    "Repeat",
    "Sig2SpikeLayer",
    "SpikingMaxPooling2dLayer",
    "SpikingMaxPooling2dLayerSqueeze",
    "SqueezeError",
    "SqueezeMixin",
    "StatefulLayer",
    "SumPool2d",
    "UnflattenTime",
    "check_finite",
    "checkpoint_time",
    "keep_samples",
    "pack_spikes",
    "reset_states",
    "set_batch_size",
    "stateful_layers",
    "zero_grad",
]
