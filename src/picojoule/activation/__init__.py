"""Spikes, resets, surrogate gradients and rounding: the pointwise choices a neuron is built from."""

from picojoule.activation.quantize import Quantize, StochasticRounding
from picojoule.activation.reset_mechanism import (
    MembraneHold,
    MembraneReset,
    MembraneSubtract,
    NeuronState,
    ResetFunction,
    WholeStates,
)
from picojoule.activation.spike_generation import (
    MaxSpike,
    MultiSpike,
    SingleSpike,
    SpikeFunction,
)
from picojoule.activation.surrogate_gradient_fn import (
    Gaussian,
    Heaviside,
    MultiGaussian,
    PeriodicExponential,
    SingleExponential,
    SurrogateGradient,
)

__all__ = [
    "Gaussian",
    "Heaviside",
    "MaxSpike",
    "MembraneHold",
    "MembraneReset",
    "MembraneSubtract",
    "MultiGaussian",
    "MultiSpike",
    "NeuronState",
    "PeriodicExponential",
    "Quantize",
    "ResetFunction",
    "SingleExponential",
    "SingleSpike",
    "SpikeFunction",
    "StochasticRounding",
    "SurrogateGradient",
    "WholeStates",
]
