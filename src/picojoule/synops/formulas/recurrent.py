"""Formulas of PyTorch's own recurrent layers and cells, whose hidden values are dense."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from picojoule.synops.formulas.products import linear
from picojoule.synops.formulas.synapses import Synapses, contraction


def cell(
    input: Tensor,
    hx: Any,
    w_ih: Tensor,
    w_hh: Tensor,
    *_biases: Any,
    **_more: Any,
) -> list[Synapses]:
    """One step of an RNN, LSTM or GRU cell."""
    hidden = hx if isinstance(hx, Tensor) else hx[0]
    return [*linear(input, w_ih), *linear(hidden, w_hh)]


def layers(*args: Any) -> list[Synapses]:
    """torch.rnn_tanh, rnn_relu, lstm and gru, over padded or packed sequences.

    Each layer's input reaches all gates at every step, and so do the hidden values of the step
    before. The values inside are dense; only the first layer's input may be spikes.
    """
    packed = isinstance(args[3], list | tuple)
    if packed:
        data, _, _, flat, has_biases, num_layers, _, _, bidirectional = args
    else:
        data, _, flat, has_biases, num_layers, _, _, bidirectional, _ = args
    directions = 2 if bidirectional else 1
    by_direction = len(flat) // (num_layers * directions)
    steps = data.numel() // max(data.shape[-1], 1)
    synapses: list[Synapses] = []
    for index in range(num_layers * directions):
        w_ih, w_hh, *rest = flat[index * by_direction : (index + 1) * by_direction]
        if index < directions:
            synapses += linear(data, w_ih)
        else:
            synapses.append(_dense(w_ih, steps))
        synapses.append(_dense(w_hh, steps))
        projections = rest[2:] if has_biases else rest
        synapses += [_dense(weight, steps) for weight in projections]
    return synapses


def _dense(weight: Tensor, steps: int) -> Synapses:
    return contraction("oi", weight, weights=[0], sizes={"t": steps})
