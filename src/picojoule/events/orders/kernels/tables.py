"""What stands where in the tables of asynchronous execution: one of the network, one of each layer and signal.

All entries are int64: numbers, or addresses of arrays. Arrays that samples share are `b ...`; all others are a
thread's own and serve one sample after the other. Sizes: B samples, T steps, S layers, N neurons of a layer.
"""

from __future__ import annotations

from typing import NamedTuple


class NetworkPlaces(NamedTuple):
    """The network and what a thread works in.

    Attributes:
        num_steps: T.
        num_layers: S.
        layers: address of the addresses of the layers' tables.
        signals: address of the addresses of the signals' tables; signal 0 is the input, k + 1 what layer k gives out.
        frames: float32 `b t n`, the input in the engine's order.
        arrivals: int32 `t n`, of each step the order in which the input's neurons give their events, or 0 for that
            of their indices.
        steps_before: int64 `b`, steps since the states were zero.
        tick_steps: steps from one tick of the slow clock to the next.
        queue_length: events that a queue holds; 0 for any number.
        status: int64 `b 4`: code, step, layer, neuron; see `FINE` and the others.
        fired_index: int32 `most`, what the last update gave out, and so are the next two.
        fired_count: int32, so many events.
        fired_value: float32, each of this value.
        lengths: int64 `4 + s`, of stack and queue, and of what each layer hears of itself, see `depth`.
        stack: int32 `4 stack_size`, events that wait in depth-first order.
        stack_size: entries.
        waiting: int32 `4 waiting_size`, events of recurrent layers that wait for the present one to be through.
        waiting_size: entries.
    """

    num_steps: int
    num_layers: int
    layers: int
    signals: int
    frames: int
    arrivals: int
    steps_before: int
    tick_steps: int
    queue_length: int
    status: int
    fired_index: int
    fired_count: int
    fired_value: int
    lengths: int
    stack: int
    stack_size: int
    waiting: int
    waiting_size: int


class LayerPlaces(NamedTuple):
    """A stage of the network. Arrays are float32 `n` unless said otherwise.

    Attributes:
        num_neurons: N.
        num_rows: rows of neurons that are contiguous in memory.
        num_edges: bundles of synapses that lead to it, its own to itself not counted.
        edges: address of the addresses of their tables.
        sources: int64, the signal that each brings.
        num_signals: different signals among these.
        heard: int64, these, in ascending order.
        own: the table of the synapses to itself, or 0.
        most_own: events in a step that it hears of itself before a loop is called endless.
        kind: what it does with what arrives, see `SPIKES` and the others.
        single: 1 if an update makes one spike at most.
        limit: most spikes of an update; 0 for any number.
        resets: 1 if a spike sets the potential.
        leak: when it leaks, see `NEVER` and the others.
        whole: 1 if the potential is cut to a whole number when it leaks.
        potential: `b n`.
        synaptic: `b n`, or 0 without a synaptic current.
        total: `b n`, what it gave out in all steps.
        spikes: float64 `b t`.
        keep: share of the potential that a step keeps.
        gain: what arrives is multiplied by.
        threshold: potential from which on a neuron fires.
        cost: what a spike takes off.
        low: lower bound of the potential.
        floor: down to which a tick takes the potential.
        keep_synaptic: share of the synaptic current that a step keeps, or 0.
        bias: what arrives at the beginning of a step, or 0.
        own_bias: the same from the second step on, or 0.
        numbers: three: highest potential, value that a reset sets, what a tick takes off.
        current: what an event has brought.
        latest: at which part of the step a neuron was brought up to date.
        touched: uint8 `rows` and a few more, 1 where an event reached a row.
        reached: int32 2, where in these rows the neurons begin that it reached, and where they end.
        seen: of the layer in front, what each neuron gave in this step; for `LARGEST`.
        num_seen: its length.
        decimate: one of so many events leaves; 1 for all.
        decimated: int64 `b layers`, events so far.
    """

    num_neurons: int
    num_rows: int
    num_edges: int
    edges: int
    sources: int
    num_signals: int
    heard: int
    own: int
    most_own: int
    kind: int
    single: int
    limit: int
    resets: int
    leak: int
    whole: int
    potential: int
    synaptic: int
    total: int
    spikes: int
    keep: int
    gain: int
    threshold: int
    cost: int
    low: int
    floor: int
    keep_synaptic: int
    bias: int
    own_bias: int
    numbers: int
    current: int
    latest: int
    touched: int
    reached: int
    seen: int
    num_seen: int
    decimate: int
    decimated: int


class SignalPlaces(NamedTuple):
    """What passes between layers.

    Attributes:
        num_neurons: N.
        channels: of a position.
        frames: float32 `b t n`, where it is written down if it goes out, or 0.
        is_heard: 1 if a layer hears it, be it the one that gives it out.
        num_listeners: layers that hear it, one that hears itself not counted.
        listeners: int64, their numbers.
        position: int32, of the event that is delivered.
        channel: int32, of it.
        value: float32, of it.
        indices: int32 `capacity`, the neuron of an event that waits, and so are the next three.
        counts: int32, so many events.
        values: float32, each of this value.
        cause: int32, number in the step of the input event that caused it; 0 is the beginning of the step.
        length: int64 2: entries, and events in them.
        capacity: entries.
        dropped: int64 `b`, events that a full queue lost.
    """

    num_neurons: int
    channels: int
    frames: int
    is_heard: int
    num_listeners: int
    listeners: int
    position: int
    channel: int
    value: int
    indices: int
    counts: int
    values: int
    cause: int
    length: int
    capacity: int
    dropped: int


NETWORK = NetworkPlaces(*range(len(NetworkPlaces._fields)))
LAYER = LayerPlaces(*range(len(LayerPlaces._fields)))
SIGNAL = SignalPlaces(*range(len(SignalPlaces._fields)))

# what a layer does with what arrives
SPIKES = 0  # it fires
PASSES = 1  # it has no neurons: what arrives is given out
LARGEST = 2  # a max pooling: what exceeds the largest of the step so far is given out
READS = 3  # neurons that never fire: their potentials are given out at the end of a step

# when potentials leak
NEVER = 0
STEP = 1  # at the beginning of a step, to the share `keep`
TICK = 2  # at a tick of the slow clock, by a constant
EXPONENTIAL = 3  # by elapsed time

# how a sample ended
FINE = 0
FULL = 1  # a queue has to be longer: run again
ENDLESS = 2  # a layer made itself fire too often in a step
TOO_MANY = 3  # a neuron fired too often at one time

MOST_AT_ONCE = 2**16  # events of one neuron at one time; more are an error, not a wait without end
