"""Neuron classes in the shapes in which published repositories write them: ours, with their structure.

None is of a family that Picojoule knows by its package. `CLOCK_DRIVEN` is the same multi-step neuron under the
module path of SpikingJelly 0.0.0.0.12, which cannot be installed beside its successor.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Heaviside(torch.autograd.Function):
    """A step with a rectangular slope: what every one of them calls by another name."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x >= 0).to(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (x.abs() < 0.5).to(grad)


class Above(torch.autograd.Function):
    """The same, strictly above a threshold that is not learned."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.gt(0.5).float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class Sigmoid(nn.Module):
    """A surrogate that is a module, as in SpikingJelly and BrainCog."""

    def forward(self, x: Tensor) -> Tensor:
        return Heaviside.apply(x)


# ---- SpikingJelly 0.0.0.0.12: one step in the base, a loop in the multi-step class, time first


class MemoryModule(nn.Module):
    """Keeps state between calls, in a dictionary of its own, until `reset`."""

    def __init__(self) -> None:
        super().__init__()
        self._memories: dict[str, Any] = {}
        self._initial: dict[str, Any] = {}

    def register_memory(self, name: str, value: Any) -> None:
        self._memories[name] = self._initial[name] = value

    def reset(self) -> None:
        self._memories.update(self._initial)

    def __getattr__(self, name: str) -> Any:
        memories = self.__dict__.get("_memories", {})
        return memories[name] if name in memories else super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        memories = self.__dict__.get("_memories")
        if memories is not None and name in memories:
            memories[name] = value
        else:
            super().__setattr__(name, value)


class BaseNode(MemoryModule):
    def __init__(self, v_threshold: float = 1.0, v_reset: float | None = 0.0) -> None:
        super().__init__()
        self.register_memory("v", 0.0 if v_reset is None else v_reset)
        self.v_threshold, self.v_reset = v_threshold, v_reset
        self.surrogate_function = Sigmoid()

    def neuronal_charge(self, x: Tensor) -> None:
        self.v = self.v + x

    def neuronal_fire(self) -> Tensor:
        return self.surrogate_function(self.v - self.v_threshold)

    def neuronal_reset(self, spike: Tensor) -> None:
        reset = spike.detach()
        if self.v_reset is None:
            self.v = self.v - reset * self.v_threshold
        else:
            self.v = (1.0 - reset) * self.v + reset * self.v_reset

    def forward(self, x: Tensor) -> Tensor:
        self.neuronal_charge(x)
        spike = self.neuronal_fire()
        self.neuronal_reset(spike)
        return spike


class LIFNode(BaseNode):
    def __init__(self, tau: float = 2.0, **more: Any) -> None:
        super().__init__(**more)
        self.tau = tau

    def neuronal_charge(self, x: Tensor) -> None:
        self.v = self.v + (x - self.v) / self.tau


class ParametricLIFNode(BaseNode):
    def __init__(self, init_tau: float = 2.0, **more: Any) -> None:
        super().__init__(**more)
        self.w = nn.Parameter(torch.tensor(0.0))  # sigmoid(0) = 1 / 2

    def neuronal_charge(self, x: Tensor) -> None:
        self.v = self.v + (x - self.v) * self.w.sigmoid()


class _OverTime:
    """The loop that makes a multi-step class of a one-step class; puts the potentials together, too."""

    def forward(self, x_seq: Tensor) -> Tensor:
        spikes, potentials = [], []
        for t in range(x_seq.shape[0]):
            spikes.append(super().forward(x_seq[t]).unsqueeze(0))  # type: ignore[misc]
            potentials.append(self.v.unsqueeze(0))  # type: ignore[attr-defined]
        self.v_seq = torch.cat(potentials, 0)
        return torch.cat(spikes, 0)


class MultiStepLIFNode(_OverTime, LIFNode):
    pass


class MultiStepParametricLIFNode(_OverTime, ParametricLIFNode):
    pass


def _renamed(kind: type) -> type:
    return type(kind.__name__, (kind,), {"__module__": "spikingjelly.clock_driven.neuron"})


CLOCK_DRIVEN: Any = _renamed(MultiStepLIFNode)
CLOCK_DRIVEN_PLIF: Any = _renamed(MultiStepParametricLIFNode)


def reset_net(model: nn.Module) -> None:
    """Reset every module that has a `reset`, as SpikingJelly's function does."""
    for module in model.modules():
        if callable(getattr(module, "reset", None)):
            module.reset()


# ---- MS-ResNet: time first, a number of steps that all classes share


class mem_update(nn.Module):  # noqa: N801
    time_window = 4
    decay = 0.25

    def forward(self, x: Tensor) -> Tensor:
        mem = torch.zeros_like(x[0])
        spike = torch.zeros_like(x[0])
        output = torch.zeros_like(x)
        mem_old: Any = 0
        for i in range(self.time_window):
            mem = mem_old * self.decay * (1 - spike.detach()) + x[i] if i >= 1 else x[i]
            spike = Above.apply(mem)
            mem_old = mem.clone()
            output[i] = spike
        return output


# ---- temporal-efficient training: batch first, the potential is no attribute


class LIFSpike(nn.Module):
    def __init__(self, thresh: float = 1.0, tau: float = 0.5) -> None:
        super().__init__()
        self.thresh, self.tau = thresh, tau

    def forward(self, x: Tensor) -> Tensor:
        mem: Any = 0
        spikes = []
        for t in range(x.shape[1]):
            mem = mem * self.tau + x[:, t, ...]
            spike = Heaviside.apply(mem - self.thresh)
            mem = (1 - spike) * mem
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


# ---- conversion with a learned threshold: time folded into the batch, time first; a spike is worth the threshold


class MergeTemporalDim(nn.Module):
    def forward(self, x_seq: Tensor) -> Tensor:
        return x_seq.flatten(0, 1).contiguous()


class ExpandTemporalDim(nn.Module):
    def __init__(self, time: int) -> None:
        super().__init__()
        self.T = time

    def forward(self, x: Tensor) -> Tensor:
        return x.view(self.T, x.shape[0] // self.T, *x.shape[1:])


class IF(nn.Module):
    def __init__(self, time: int, thresh: float = 0.5) -> None:
        super().__init__()
        self.thresh = nn.Parameter(torch.tensor([thresh]))
        self.expand, self.merge, self.T = ExpandTemporalDim(time), MergeTemporalDim(), time

    def forward(self, x: Tensor) -> Tensor:
        threshold = self.thresh.data
        x = self.expand(x)
        mem = 0.5 * threshold
        spikes = []
        for t in range(self.T):
            mem = mem + x[t, ...]
            spike = Heaviside.apply(mem - threshold) * threshold
            mem = mem - spike
            spikes.append(spike)
        return self.merge(torch.stack(spikes, dim=0))


# ---- BrainCog: one step a call, or time folded into the batch with `layer_by_layer`


class BrainCogNode(nn.Module):
    def __init__(self, threshold: float = 0.5, step: int = 4, layer_by_layer: bool = False) -> None:
        super().__init__()
        self.threshold, self.step, self.layer_by_layer = threshold, step, layer_by_layer
        self.act_fun = Sigmoid()
        self.n_reset()

    def n_reset(self) -> None:
        self.mem: Any = 0.0
        self.spike: Any = 0.0

    reset = n_reset

    def integral(self, inputs: Tensor) -> None:
        self.mem = self.mem + (inputs - self.mem) / 2.0

    def calc_spike(self) -> None:
        self.spike = self.act_fun(self.mem - self.threshold)
        self.mem = self.mem * (1 - self.spike.detach())

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.layer_by_layer:
            self.integral(inputs)
            self.calc_spike()
            return self.spike
        inputs = inputs.unflatten(0, (self.step, -1))
        outputs = []
        for t in range(self.step):
            self.integral(inputs[t])
            self.calc_spike()
            outputs.append(self.spike)
        return torch.stack(outputs).flatten(0, 1)


# ---- spike-driven transformer V3: a whole number of spikes at once, divided by the most there may be


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, most: int) -> Tensor:
        return torch.round(torch.clamp(x, min=0, max=most))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class Multispike(nn.Module):
    def __init__(self, most: int = 4) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: Tensor) -> Tensor:
        return _Rounded.apply(x, self.most) / self.most
