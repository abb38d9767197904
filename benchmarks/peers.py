"""Other libraries, each with its default surrogate gradient and its fastest way that needs no GPU.

Reset by subtraction where the library has it (Norse's integrate-and-fire resets to zero). Norse and snnTorch
have no loop over time of their own: `Stepped` is it, around the neurons alone, so that
convolutions see all time steps at once. (Their tutorials call the whole network a step at a time, which
is slower.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.implementations import Implementation


class Stepped(nn.Module):
    """A cell `(input, state) -> (spikes, state)` over a sequence `t b *n`, fed back if asked to."""

    def __init__(self, cell: Callable[..., Any], feedback: nn.Linear | None = None) -> None:
        super().__init__()
        self.cell, self.feedback = cell, feedback

    def forward(self, currents: Tensor) -> Tensor:
        spikes, state, outputs = None, None, []
        for current in currents:
            fed_back = self.feedback is not None and spikes is not None
            step_input = current + self.feedback(spikes) if fed_back else current
            spikes, state = self.cell(step_input, state)
            outputs.append(spikes)
        return torch.stack(outputs)


class TimeFirst(Implementation):
    """What the libraries with time in front have in common: a cell, repeated."""

    peer = may_fail = True
    time_axis = 0

    def cell(self, tau_mem: float | None) -> Callable[..., Any]:
        """Neurons for one time step."""
        raise NotImplementedError

    def neurons(self, tau_mem: float | None) -> nn.Module:
        return Stepped(self.cell(tau_mem))

    def recurrent(self, inputs: int, size: int, tau_mem: float) -> nn.Module:
        feedback = nn.Linear(size, size)
        return nn.Sequential(nn.Linear(inputs, size), Stepped(self.cell(tau_mem), feedback))


class Sinabs(Implementation):
    """sinabs: batch first, time loop inside."""

    name = "sinabs"
    peer = may_fail = True

    def __init__(self) -> None:
        import sinabs.layers as sl

        self._layers = sl

    def neurons(self, tau_mem: float | None) -> nn.Module:
        if tau_mem is None:
            return self._layers.IAF()
        return self._layers.LIF(tau_mem=tau_mem, norm_input=False)

    def recurrent(self, inputs: int, size: int, tau_mem: float) -> nn.Module:
        feedback = nn.Linear(size, size)
        neurons = self._layers.LIFRecurrent(tau_mem, rec_connect=feedback, norm_input=False)
        return nn.Sequential(nn.Linear(inputs, size), neurons)

    def sum_pool(self, size: int) -> nn.Module:
        return self._layers.SumPool2d(size)

    def reset(self, model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, self._layers.StatefulLayer):
                module.reset_states()

    def watch(self, model: nn.Sequential) -> None:
        from sinabs.hooks import firing_rate_per_neuron_hook, register_synops_hooks

        register_synops_hooks(model)
        for module in model.modules():
            if isinstance(module, self._layers.StatefulLayer):
                module.register_forward_hook(firing_rate_per_neuron_hook)


class SpikingJelly(TimeFirst):
    """SpikingJelly in multi-step mode."""

    name = "SpikingJelly"

    def __init__(self) -> None:
        from spikingjelly.activation_based import functional, neuron

        self._neuron, self._functional = neuron, functional

    def _node(self, tau_mem: float | None, step_mode: str) -> nn.Module:
        common = {"v_reset": None, "step_mode": step_mode}
        if tau_mem is None:
            return self._neuron.IFNode(**common)
        return self._neuron.LIFNode(tau=tau_mem, decay_input=False, **common)

    def neurons(self, tau_mem: float | None) -> nn.Module:
        return self._node(tau_mem, "m")

    def cell(self, tau_mem: float | None) -> Callable[..., Any]:
        return _Stateful(self._node(tau_mem, "s"))

    def reset(self, model: nn.Module) -> None:
        self._functional.reset_net(model)


class _Stateful(nn.Module):
    """A module that keeps its state to itself, as a cell."""

    def __init__(self, node: nn.Module) -> None:
        super().__init__()
        self.node = node

    def forward(self, current: Tensor, state: None) -> tuple[Tensor, None]:
        return self.node(current), state


class SnnTorch(TimeFirst):
    """snnTorch's Leaky; beta = 1 is integrate-and-fire."""

    name = "snnTorch"

    def __init__(self) -> None:
        import snntorch

        self._snntorch = snntorch

    def cell(self, tau_mem: float | None) -> Callable[..., Any]:
        return self._snntorch.Leaky(beta=1.0 if tau_mem is None else math.exp(-1 / tau_mem))

    def reset(self, model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, self._snntorch.Leaky):
                module.reset_mem()


class Norse(TimeFirst):
    """Norse's IAF and LIFBox cells: like ours, without a synaptic current."""

    name = "Norse"

    def __init__(self) -> None:
        import norse.torch

        self._norse = norse.torch

    def cell(self, tau_mem: float | None) -> Callable[..., Any]:
        if tau_mem is None:
            return self._norse.IAFCell()
        # Norse scales the input by dt / tau; a threshold scaled alike makes up for it
        threshold = torch.tensor(1 / tau_mem)
        parameters = self._norse.LIFBoxParameters(tau_mem_inv=threshold, v_th=threshold)
        return self._norse.LIFBoxCell(parameters, dt=1.0)
