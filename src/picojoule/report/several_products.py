"""What the counters of others do with recurrent layers and multi-head attention.

Read in their sources and seen in runs of their releases: NeuroBench 2.3.0
(`metrics/utils/layers/macs.py`), syops 0.0.5 (`ops.py`) and SpikingJelly 2.0.0
(`op_counter/synop.py`, which counts the operations that PyTorch's kernels consist of).
"""

from __future__ import annotations

_LAYERS = ("RNN", "LSTM", "GRU")
_CELLS = ("RNNCell", "LSTMCell", "GRUCell")
_ATTENTION = "MultiheadAttention"
_KINDS = (*_LAYERS, *_CELLS, _ATTENTION)

_SYOPS = "syops counts it neither as ACs nor as MACs, but only in its figure of all operations, which is dense"
_CELL = (
    "neurobench counts products of non-zero values and weights, of input and state{gates}, all as ACs "
    "if the input is spikes; called without its state, the cell is counted for the batch's first "
    "sample alone, or with an error"
)
_GATES = _CELL.format(gates=" and between gates")
_STOPS = "neurobench does not count it: its counter stops there with an error"
_JELLY = (
    "spikingjelly counts the products inside whose one operand is all 0 or 1, such as those of input "
    "spikes; where PyTorch runs the whole layer as one kernel it counts nothing"
)
_RATES = "papers have no rule for the rates of state and gates"

_UNCALLED = (
    "neurobench does not count it: it looks at linear, convolutional and recurrent layers, and "
    "attention uses the weights of its own without calling them"
)

_UNSEEN = {("syops", kind): _SYOPS for kind in _KINDS} | {("neurobench", _ATTENTION): _UNCALLED}
_LEFT_OUT = (
    {("neurobench", kind): _STOPS for kind in _LAYERS}
    | {("neurobench", kind): _GATES for kind in _CELLS}
    | {("neurobench", "RNNCell"): _CELL.format(gates="")}
    | {("spikingjelly", kind): _JELLY for kind in _KINDS}
    | {("rate_flops", kind): _RATES for kind in (*_LAYERS, *_CELLS)}
    | {("rate_flops", _ATTENTION): "papers differ in which of its products they count"}
)


def counts_nothing(convention: str, kind: str) -> str | None:
    """Why a counter gives 0 ACs and 0 MACs for a layer of that type; None if it is not known to.

    Example:
        >>> counts_nothing("syops", "GRU")
        'syops counts it neither as ACs nor as MACs, but only in its figure of all operations, which is dense'
        >>> counts_nothing("syops", "Linear")
    """
    return _UNSEEN.get((convention, kind))


def left_out(convention: str, kind: str) -> str:
    """What a counter does with a layer for which no number is given.

    Example:
        >>> left_out("neurobench", "LSTM")
        'neurobench does not count it: its counter stops there with an error'
        >>> left_out("neurobench", "Mix")
        'neurobench may have rules of its own for it'
    """
    return _LEFT_OUT.get((convention, kind), f"{convention} may have rules of its own for it")
