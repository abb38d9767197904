"""Asynchronous execution of a chain of layers in nested loops, for `test_orders.py` to compare with.

Weights are dense matrices, made by pushing one input at a time through the layers in front of each neuron. Indices
go position by position, and in each through the channels.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from picojoule.activation import MembraneReset, MultiSpike
from picojoule.layers import StatefulLayer


def in_order(step: Tensor) -> Tensor:
    """`c h w` or `n` as one axis: positions, and in each the channels."""
    return step.movedim(0, -1).flatten() if step.ndim > 1 else step


class Layer:
    """Weighted layers, poolings, and the neurons behind them."""

    def __init__(self, front: nn.Sequential, neuron: Any, shape: tuple[int, ...]) -> None:
        self.neuron = neuron
        self.weight, self.shape = _matrix(front, shape)
        ones = copy.deepcopy(front)
        for parameter in ones.parameters():
            nn.init.ones_(parameter)
        self.fan = _matrix(ones, shape)[0].sum(0)
        self.own = (
            neuron.rec_connect.weight.detach().numpy() if hasattr(neuron, "rec_connect") else None
        )
        self.v = np.zeros(len(self.weight), np.float32)
        alpha = neuron.alpha_mem_calculated
        self.alpha = np.float32(alpha.item() if isinstance(alpha, Tensor) else alpha)
        self.gain = np.float32(1) - self.alpha if neuron.norm_input else np.float32(1)
        self.spikes: list[int] = []
        self.synops: list[float] = []

    def leak(self) -> None:
        self.v = self.alpha * self.v

    def hear(self, weights: np.ndarray[Any, Any], value: float) -> list[int]:
        """Add one event's weights; the neurons that fire, once for each spike."""
        fired: list[int] = []
        low = self.neuron.min_v_mem
        for j, weight in enumerate(weights):
            if weight != 0:
                self.v[j] = self.v[j] + self.gain * np.float32(weight * value)
                if low is not None:
                    self.v[j] = max(self.v[j], low.item())
                fired += [j] * self.fire(j)
        return fired

    def fire(self, j: int) -> int:
        threshold = np.float32(self.neuron.spike_threshold.item())
        if self.v[j] < threshold:
            return 0
        spikes = int(self.v[j] // threshold) if self.neuron.spike_fn is MultiSpike else 1
        reset = self.neuron.reset_fn
        left = (
            reset.reset_value
            if isinstance(reset, MembraneReset)
            else self.v[j] - spikes * threshold
        )
        self.v[j] = left
        return spikes


class BruteForce:
    """A chain of layers, one sample."""

    def __init__(self, model: nn.Sequential, shape: tuple[int, ...]) -> None:
        ends = [k + 1 for k, layer in enumerate(model) if isinstance(layer, StatefulLayer)]
        self.layers: list[Layer] = []
        for start, end in pairwise([0, *ends]):
            front = nn.Sequential(*[model[k] for k in range(start, end - 1)])
            self.layers.append(Layer(front, model[end - 1], shape))
            shape = self.layers[-1].shape
        self.shape = shape
        self.arrivals: list[list[int]] | None = None

    def run(self, frames: Tensor, order: str) -> Tensor:
        """Counts of the last layer, `t n`, for `frames`, `t *n`; spikes and SynOps by step are noted."""
        outputs = []
        for t, frame in enumerate(frames):
            values = in_order(frame).tolist()
            self.out = np.zeros(len(self.layers[-1].v))
            for layer in self.layers:
                layer.spikes.append(0)
                layer.synops.append(0)
                layer.leak()
            events = [
                (j, float(np.sign(x)) if x == round(x) else x)
                for j in (self.arrivals[t] if self.arrivals else range(len(values)))
                for x in [values[j]]
                for _ in range(int(abs(x)) if x == round(x) else int(x != 0))
            ]
            (self.breadth if order == "breadth" else self.depth)(events)
            outputs.append(self.out)
        return torch.tensor(np.array(outputs), dtype=torch.float32)

    def breadth(self, events: list[tuple[int, float]]) -> None:
        for k, layer in enumerate(self.layers):
            own = self.given(k, [j for j in range(len(layer.v)) for _ in range(layer.fire(j))])
            for j, value in events:
                own += self.heard(k, j, value)
            for j, value in own:  # which grows meanwhile
                if layer.own is not None:
                    own += self.heard(k, j, value, itself=True)
            events = own

    def depth(self, events: list[tuple[int, float]]) -> None:
        self.waiting: list[tuple[int, int, float]] = []
        for k, layer in enumerate(self.layers):
            fired = [j for j in range(len(layer.v)) for _ in range(layer.fire(j))]
            self.go_on(k, self.given(k, fired))
            self.loops()
        for j, value in events:
            self.go_on(0, self.heard(0, j, value))
            self.loops()

    def go_on(self, k: int, given: list[tuple[int, float]]) -> None:
        if self.layers[k].own is not None:
            self.waiting += [(k, *event) for event in given]
        for j, value in given:
            if k + 1 < len(self.layers):
                self.go_on(k + 1, self.heard(k + 1, j, value))

    def loops(self) -> None:
        while self.waiting:
            k, j, value = self.waiting.pop(0)
            self.go_on(k, self.heard(k, j, value, itself=True))

    def heard(
        self, k: int, j: int, value: float, *, itself: bool = False
    ) -> list[tuple[int, float]]:
        layer = self.layers[k]
        weight = layer.own if itself else layer.weight
        layer.synops[-1] += abs(value) * (len(layer.v) if itself else layer.fan[j])
        return self.given(k, layer.hear(weight[:, j], value))

    def given(self, k: int, fired: list[int]) -> list[tuple[int, float]]:
        self.layers[k].spikes[-1] += len(fired)
        if k + 1 == len(self.layers):
            for j in fired:
                self.out[j] += 1
        return [(j, 1.0) for j in fired]


@torch.no_grad()
def _matrix(
    front: nn.Sequential, shape: tuple[int, ...]
) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    """What each input adds to each neuron, `out in`, without biases, and the neurons' shape."""
    inputs = torch.eye(int(np.prod(shape))).reshape(-1, *shape)
    at_zero = front(torch.zeros(1, *shape))
    columns = torch.stack([in_order(x) for x in front(inputs) - at_zero])
    rows = in_order(torch.arange(len(columns)).reshape(shape))
    return columns[rows].T.contiguous().numpy(), tuple(at_zero.shape[1:])
