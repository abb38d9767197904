"""Counting synaptic operations.

Counting semantics:

- One SynOp is one spike arriving at one existing synapse. A synapse is a weight that connects an
  input to an output; a padded border has none, and a bias is none.
- A graded value counts as that many spikes, by its absolute value.
- "Per time step" is the mean over samples and time steps. For an ANN without a time axis it is
  the mean over samples.
- Values that an average pooling has scaled down count as the spikes they were.
- Products of dense values are no SynOps: the Monitor reports them apart, as MACs. The hooks, and the
  Monitor with `convention="sinabs"`, count dense values by magnitude, images included.
- Spikes that meet spikes (queries and keys of spiking attention) count once for each pair that meets.
- A product element by element with weights is one synapse an element (one-to-one connections); with data it is
  a gate or a reset and counts nothing, unless each operand is spread over the other (an outer product), where
  pairs meet. Dense values times a vector of weights are scaled, as by a normalisation.
- What a model makes of numbers or of chance alone, such as `1 - torch.eye(n)` or dropout of weights, is a mask of weights and no spikes.
- An absent element of a sparse tensor is no synapse.
- A layer that has weights but no formula is an error, never a zero; so is an operator that multiplies in a way
  that is not known. What scripts, exports and operators hide from PyTorch's functions is seen below them.
"""

from picojoule.synops.counts import Counts, Detail, RateDetail, Rates
from picojoule.synops.fan_out import CONVOLUTIONS, conv_fan_out
from picojoule.synops.formulas import Synapses, contraction, fixed
from picojoule.synops.per_timestep import (
    conv_synops_per_timestep,
    input_cancellation,
    linear_synops_per_timestep,
)
from picojoule.synops.rates import (
    firing_rate,
    firing_rate_per_neuron,
    silent_share,
)
from picojoule.synops.sequential import CountedLayer, counted_layers, time_is_folded
from picojoule.synops.watch.checks import MonitorWarning

__all__ = [
    "CONVOLUTIONS",
    "CountedLayer",
    "Counts",
    "Detail",
    "MonitorWarning",
    "RateDetail",
    "Rates",
    "Synapses",
    "contraction",
    "conv_fan_out",
    "conv_synops_per_timestep",
    "counted_layers",
    "firing_rate",
    "firing_rate_per_neuron",
    "fixed",
    "input_cancellation",
    "linear_synops_per_timestep",
    "silent_share",
    "time_is_folded",
]
