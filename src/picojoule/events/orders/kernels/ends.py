"""How a call and a step end, whatever the order."""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import reals, wide
from picojoule.events.orders.kernels.called import called
from picojoule.events.orders.kernels.leaks import bring_to_end
from picojoule.events.orders.kernels.tables import EXPONENTIAL, LAYER, NETWORK, PASSES, TOO_MANY
from picojoule.events.orders.kernels.update import finish


@called
def start_call(network: Any) -> None:
    """Potentials are those of the end of the step before."""
    layers = wide(network[NETWORK.layers])
    for number in range(network[NETWORK.num_layers]):
        layer = wide(layers[number])
        if layer[LAYER.leak] == EXPONENTIAL:
            latest = reals(layer[LAYER.latest])
            for j in range(layer[LAYER.num_neurons]):
                latest[j] = np.float32(1)


@called
def end_step(network: Any, sample: Any, t: Any) -> None:
    """All events of the step are through."""
    layers, signals = wide(network[NETWORK.layers]), wide(network[NETWORK.signals])
    of_step = sample * network[NETWORK.num_steps] + t
    for number in range(network[NETWORK.num_layers]):
        finish(wide(layers[number]), wide(signals[number + 1]), sample, of_step)


@called
def end_call(network: Any, sample: Any) -> None:
    """Potentials are carried on to the end of the last step."""
    layers = wide(network[NETWORK.layers])
    for number in range(network[NETWORK.num_layers]):
        layer = wide(layers[number])
        if layer[LAYER.leak] == EXPONENTIAL and layer[LAYER.kind] != PASSES:
            v = reals(layer[LAYER.potential] + 4 * sample * layer[LAYER.num_neurons])
            bring_to_end(layer, v)


@called
def fail(network: Any, sample: Any, t: Any, number: Any, code: Any) -> Any:
    """Write down why a sample could not go on; returns the code."""
    status = wide(network[NETWORK.status])
    status[4 * sample], status[4 * sample + 1], status[4 * sample + 2] = code, t, number
    return code


@called
def fail_of_neuron(network: Any, sample: Any, t: Any, number: Any, n: Any) -> Any:
    """The same where an update gave -1 - j: its neuron would fire too often."""
    wide(network[NETWORK.status])[4 * sample + 3] = -1 - n
    return fail(network, sample, t, number, TOO_MANY)
