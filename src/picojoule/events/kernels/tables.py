"""What stands where in the tables that a kernel gets: one of a stage, and one of each bundle of synapses.

All entries are int64: numbers, or addresses of arrays. A kernel reads them by name: `stage[STAGE.num_steps]`.

Sizes: B samples, T steps, N neurons of the stage in R rows that are contiguous in memory, C channels.
The events of a signal lie in `capacity` entries a sample: position and channel (int32) and value (float32);
`offsets`, int32 `b t+1`, says where each step begins.
"""

# More than 250 lines: what kernels of one engine read is told in one place.

from __future__ import annotations

from typing import NamedTuple

VECTOR = 8  # reals that are computed at once
STATE_BITS = range(2, 25)  # widths of potentials that are whole numbers


def bytes_of(bits: int) -> int:
    """Bytes that a potential of so many bits is kept in."""
    return 2 if bits <= 16 else 4


def whole_kernel(bits: int) -> str:
    """Name of the kernel whose potentials are whole numbers of so many bits."""
    return f"whole{bits}"


class StagePlaces(NamedTuple):
    """A layer of neurons, with all that it hears. Arrays are float32 unless said otherwise.

    Attributes:
        num_edges: bundles of synapses that lead to it.
        edges: address of the addresses of their tables.
        num_steps: T.
        num_neurons: N.
        channels: C.
        num_rows: R.
        which: int64, the samples to run.
        stopped: int64 `b`, the stage before which a sample stopped, or -1.
        number: of this stage.
        limit: SynOps of all steps from which on a sample stops before this stage; address of a float64.
        potential: `b n`, and so are the next six.
        synaptic: synaptic current.
        trace: what raises the threshold.
        feedback: what the neurons' own spikes add to the next step.
        current: what arrives in a step.
        output: what is given out in a step.
        fired: what was given out in all steps.
        touched: uint8 `b r`, 1 where a row was reached; a few bytes more than R.
        reached: int32 `b 2`, where in a row the neurons begin that were reached in any of them, and end.
        latest: int32 `b r`, the steps that a row's leak has been carried through.
        powers: `t+1`, what is left of a potential after so many steps.
        parameters: `rows n`, or `rows` if shared; in the order of `ops/plan.py`.
        constants: those of `ops/plan.py`.
        bias: `n`, or 0 for none.
        offsets: the events that the stage gives out, and so are the next four.
        positions: where.
        channel: where.
        values: how many spikes, or a value.
        capacity: entries a sample.
        recurrent: the table of what it hears of itself, a step later, or 0.
        recurrent_bias: `n`, or 0 for none.
    """

    num_edges: int
    edges: int
    num_steps: int
    num_neurons: int
    channels: int
    num_rows: int
    which: int
    stopped: int
    number: int
    limit: int
    potential: int
    synaptic: int
    trace: int
    feedback: int
    current: int
    output: int
    fired: int
    touched: int
    reached: int
    latest: int
    powers: int
    parameters: int
    constants: int
    bias: int
    offsets: int
    positions: int
    channel: int
    values: int
    capacity: int
    recurrent: int
    recurrent_bias: int


class EdgePlaces(NamedTuple):
    """Synapses from the events of one signal to the neurons of one stage. Tables are int32 unless said otherwise.

    Attributes:
        offsets: the events that arrive, and so are the next four.
        positions: where.
        channel: where.
        values: how many spikes, or a value.
        capacity: entries a sample.
        kind: one of the five below.
        outer_of: of a position, its entry in the next four (its row of the input).
        outer_first: where the entries of the next three begin: the taps, and the rows of neurons, that it reaches.
        outer_weight: where a tap's weights begin.
        outer_state: where a row of neurons begins.
        outer_row: the number of that row.
        first_row: int32, of an outer place the lowest of its rows.
        row_flags: int64, a byte of 1 for each of its rows from there on; 0 if there are too many.
        outer_patch: of an outer place, where an event reaches one patch: rows, where the first begins, where its weights do, its number.
        inner_of: of a position, its entry in the next four (its place in the row).
        inner_first: where the entries of the next three begin: contiguous runs of taps and neurons.
        inner_weight: where a run's weights begin.
        inner_state: where in the row a run's neurons begin.
        inner_length: length of a run.
        inner_patch: of an inner place, where an event reaches one patch: length of its run, where in a row it begins, where its weights do, 0.
        weight_of: of a channel, where its weights begin.
        state_of: of a channel, where its neurons begin.
        weights: float32, `channel outer inner neurons`; of synapses without weights the one factor.
        entry_first: of compressed weights: where the entries of a tap begin.
        entry_state: the neuron of an entry, within its tap.
        width: neurons of a tap.
        rows_apart: how far apart the rows are that follow one another in the tables of outer places; 0 if that differs.
        weights_apart: how far apart the weights of these rows are.
        fan: float32, the synapses of an event, at the strides that follow.
        fan_of_position: the first stride.
        fan_of_channel: the second.
        synops: float64 `b t`, or 0 where nothing is counted.
        patterns: address of a table of `PatternPlaces`, or 0 where there are no sums of patterns.
        patterns_from: spikes of a step from which on sums of patterns are quicker; address of an int64.
    """

    offsets: int
    positions: int
    channel: int
    values: int
    capacity: int
    kind: int
    outer_of: int
    outer_first: int
    outer_weight: int
    outer_state: int
    outer_row: int
    outer_patch: int
    first_row: int
    row_flags: int
    inner_of: int
    inner_first: int
    inner_weight: int
    inner_state: int
    inner_length: int
    inner_patch: int
    weight_of: int
    state_of: int
    weights: int
    entry_first: int
    entry_state: int
    width: int
    rows_apart: int
    weights_apart: int
    fan: int
    fan_of_position: int
    fan_of_channel: int
    synops: int
    patterns: int = 0
    patterns_from: int = 0


class PatternPlaces(NamedTuple):
    """Sums of weights, ready for every pattern of spikes in a piece of a row. Tables are int32 unless said otherwise.

    A *code* stands for an output in a row of the input: where the sums begin of the pattern of spikes that the output sees there.

    Attributes:
        codes: `b input rows, row_codes`, where the kernel works: of each output of a row and piece, and one that nobody reads.
        num_codes: of a sample.
        row_codes: of a row.
        places: of an input's row.
        outputs: of a row.
        pieces: of a pattern: each has codes and sums of its own.
        bits: entries of the next two for each channel and place in the row.
        bits_at: a code that a spike there is a bit of.
        bits_add: what the bit is worth.
        lookup_first: of a row of the output, where the entries of the next two begin.
        lookup_codes: the codes of a row of the input.
        lookup_sums: where the sums of its tap begin.
        sums: float32 `taps pieces patterns width`, the width a multiple of a vector.
    """

    codes: int
    num_codes: int
    row_codes: int
    places: int
    outputs: int
    pieces: int
    bits: int
    bits_at: int
    bits_add: int
    lookup_first: int
    lookup_codes: int
    lookup_sums: int
    sums: int


class FramePlaces(NamedTuple):
    """A dense sequence `b t *n` and the events of it.

    Attributes:
        num_steps: T.
        positions_of: number of positions.
        channels: number of channels.
        channels_first: whether the sequence has the channels in front of the positions.
        which: int64, the samples to run.
        frames: float32, the sequence.
        first_frame: int64 `b`, where a sample's first number is.
        offsets: the events, and so are the next four.
        positions: where.
        channel: where.
        values: how many spikes, or a value.
        capacity: entries a sample.
        broken: int64 `b`, whether a sample has a number that is not whole.
    """

    num_steps: int
    positions_of: int
    channels: int
    channels_first: int
    which: int
    frames: int
    first_frame: int
    offsets: int
    positions: int
    channel: int
    values: int
    capacity: int
    broken: int


class ArrivedPlaces(NamedTuple):
    """Events, and the dense sequence `k t n` of what they are at the weights of a term, behind poolings and borders.

    Attributes:
        num_steps: T.
        size: numbers of a step.
        which: int64 `k`, the samples.
        frames: float32, written.
        offsets: the events, and so are the next four.
        positions: where.
        channel: where.
        values: how many spikes, or a value.
        capacity: entries a sample.
        place_first: int32, of a position, where the entries of the next begin.
        place_at: int32, a place that it goes to.
        places_apart: how far apart two places are in a step.
        channels_apart: how far apart two channels are.
        shift: channels in front that get nothing.
    """

    num_steps: int
    size: int
    which: int
    frames: int
    offsets: int
    positions: int
    channel: int
    values: int
    capacity: int
    place_first: int
    place_at: int
    places_apart: int
    channels_apart: int
    shift: int


class CountPlaces(NamedTuple):
    """A dense sequence `b t n` that arrives at weights.

    Attributes:
        num_steps: T.
        size: numbers of a step.
        values: float32, the sequence.
        fan: float32 `n`, the synapses of each number.
        synops: float64 `b t`, written.
        broken: int64 `b`, whether a sample has a number that is not whole; set, never cleared.
    """

    num_steps: int
    size: int
    values: int
    fan: int
    synops: int
    broken: int


class PoolPlaces(NamedTuple):
    """Planes `h w` of a dense sequence, of which windows of 2 x 2 are added up.

    Attributes:
        height: h.
        width: w.
        values: float32 `planes h w`.
        sums: float32 `planes h/2 w/2`, written.
    """

    height: int
    width: int
    values: int
    sums: int


STAGE = StagePlaces(*range(len(StagePlaces._fields)))
EDGE = EdgePlaces(*range(len(EdgePlaces._fields)))
PATTERN = PatternPlaces(*range(len(PatternPlaces._fields)))
FRAME = FramePlaces(*range(len(FramePlaces._fields)))
ARRIVED = ArrivedPlaces(*range(len(ArrivedPlaces._fields)))
COUNT = CountPlaces(*range(len(CountPlaces._fields)))
POOL = PoolPlaces(*range(len(PoolPlaces._fields)))

# how synapses are kept
DENSE = 0  # rows of weights without holes
COMPRESSED = 1  # the weights that are not zero, one by one
DIRECT = 2  # no weights: an event reaches the windows that it is in, in its own channel
LARGEST = 3  # the same, and of a window the largest counts
PATCH = 4  # rows of weights, and what an event reaches is one patch: rows that are equally far apart, and a run of each
RECORD = 4  # numbers of an entry of `outer_patch` and `inner_patch`
