"""What a library has to do to take part; the floor, a net of ReLUs; and Picojoule itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

import picojoule.layers as pl
from picojoule.layers import lif as lif_layers
from picojoule.ops import lif

FLOOR = "ReLU"


class Implementation:
    """A library's neurons and poolings, and how a network of them is set to rest.

    Neurons take and give whole sequences, `b t *n`, or `t b *n` where `time_axis` is 0: each library
    gets its input in the layout it is made for.

    Attributes:
        name: as in the tables.
        over: the row whose time this one's is divided by.
        watched: how its SynOps are counted, a name in `benchmarks.works.watching`; "" for not at all.
        fewest_rounds: rounds that it gets however slow it is; ratios near 1 need several.
        any_call: also runs feedback through layers, and other dtypes than float32.
        peer: another library.
        may_fail: where it cannot run a case, the table says so and the benchmark goes on.
    """

    name: str
    over = FLOOR
    watched = ""
    peer = False
    may_fail = False
    any_call = True
    fewest_rounds = 1
    time_axis = 1

    def lead(self, batch: int, time: int) -> tuple[int, int]:
        """The first two axes of a sequence."""
        return (batch, time) if self.time_axis == 1 else (time, batch)

    def neurons(self, tau_mem: float | None) -> nn.Module:
        """One layer of LIF neurons, the input not scaled by the leak; None is integrate-and-fire."""
        raise NotImplementedError

    def recurrent(self, inputs: int, size: int, tau_mem: float) -> nn.Module:
        """LIF neurons behind a Linear, fed back through another."""
        raise NotImplementedError

    def sum_pool(self, size: int) -> nn.Module:
        """Sums over windows of `size` x `size`."""
        return nn.AvgPool2d(size, divisor_override=1)

    def reset(self, model: nn.Module) -> None:
        """Set all neurons to rest."""

    def chosen(self) -> AbstractContextManager[None]:
        """The time during which this implementation is the one that runs."""
        return nullcontext()

    def watch(self, model: nn.Sequential) -> None:
        """Count SynOps and firing rates at every forward pass, into `hook_data`."""
        raise NotImplementedError

    def when_watched(self, how: str) -> Implementation:
        """The same, watched, and compared with itself unwatched."""
        other = copy.copy(self)
        other.name, other.over, other.watched = f"{self.name}, {how}", self.name, how
        return other


class ReLU(Implementation):
    """No neurons at all: what the rest of the network costs."""

    name = FLOOR
    fewest_rounds = 5

    def neurons(self, tau_mem: float | None) -> nn.Module:  # noqa: ARG002
        return nn.ReLU()

    def recurrent(self, inputs: int, size: int, tau_mem: float) -> nn.Module:  # noqa: ARG002
        return _Outputs(nn.RNN(inputs, size, nonlinearity="relu", batch_first=True))


class _Outputs(nn.Module):
    """A recurrent module's outputs, without its last state."""

    def __init__(self, rnn: nn.RNN) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, data: Tensor) -> Tensor:
        return self.rnn(data)[0]


class Picojoule(Implementation):
    """This library, all its LIF layers on the named implementation."""

    def __init__(self, impl: str) -> None:
        lif(torch.zeros(1, 2, 3), alpha_mem=1.0, impl=impl)  # a named one that cannot run raises
        self.name = f"picojoule {impl}"
        self.any_call = impl != "cpu"
        self.fewest_rounds = 1 if impl == "reference" else ReLU.fewest_rounds

        def forced(*args: Any, **kwargs: Any) -> Any:
            return lif(*args, **{**kwargs, "impl": impl})

        self._lif = forced

    def neurons(self, tau_mem: float | None) -> nn.Module:
        return pl.IAF() if tau_mem is None else pl.LIF(tau_mem=tau_mem, norm_input=False)

    def recurrent(self, inputs: int, size: int, tau_mem: float) -> nn.Module:
        neurons = pl.LIFRecurrent(tau_mem, nn.Linear(size, size), norm_input=False)
        return nn.Sequential(nn.Linear(inputs, size), neurons)

    def sum_pool(self, size: int) -> nn.Module:
        return pl.SumPool2d(size)

    def reset(self, model: nn.Module) -> None:
        pl.reset_states(model)

    @contextmanager
    def chosen(self) -> Iterator[None]:
        before, lif_layers.lif = lif_layers.lif, self._lif
        try:
            yield
        finally:
            lif_layers.lif = before

    def watch(self, model: nn.Sequential) -> None:
        from picojoule.hooks import firing_rate_per_neuron_hook, register_synops_hooks

        register_synops_hooks(model)
        for _, layer in pl.stateful_layers(model):
            layer.register_forward_hook(firing_rate_per_neuron_hook)
