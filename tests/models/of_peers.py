"""Networks with the neurons of installed libraries, in loops and wrappers of their users' own."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    jelly = pytest.importorskip("spikingjelly.activation_based.neuron")
    jelly_layer = pytest.importorskip("spikingjelly.activation_based.layer")
    jelly_functional = pytest.importorskip("spikingjelly.activation_based.functional")
    snntorch = pytest.importorskip("snntorch")
    norse = pytest.importorskip("norse.torch")


class JellyNet(nn.Module):
    """SpikingJelly 2 in multi-step mode, image repeated inside; `node` makes the neurons."""

    def __init__(self, node: Any, time: int = 4) -> None:
        super().__init__()
        self.T = time
        self.layer = nn.Sequential(
            jelly_layer.Conv2d(3, 8, kernel_size=3, padding=1, bias=False),
            jelly_layer.BatchNorm2d(8),
            node(),
            jelly_layer.MaxPool2d(2, 2),
            jelly_layer.Conv2d(8, 16, kernel_size=3, padding=1, bias=False),
            jelly_layer.BatchNorm2d(16),
            node(),
            jelly_layer.AvgPool2d(2, 2),
            jelly_layer.Flatten(),
            jelly_layer.Dropout(0.5),
            jelly_layer.Linear(16 * 16, 10, bias=False),
        )
        jelly_functional.set_step_mode(self, "m")

    def forward(self, x: Tensor) -> Tensor:
        x_seq = x.unsqueeze(0).repeat(self.T, 1, 1, 1, 1)
        return self.layer(x_seq).mean(0)


def jelly_lif() -> nn.Module:
    return jelly.LIFNode(tau=2.0, v_threshold=0.5, step_mode="m")


def jelly_container(*layers: nn.Module) -> nn.Module:
    return jelly_layer.SeqToANNContainer(*layers)


class SnnTorchNet(nn.Module):
    """One image (or rate-coded spikes `t b n`), flattened, at every step of a loop."""

    def __init__(self, num_steps: int = 4, encoded: bool = False) -> None:
        super().__init__()
        self.num_steps, self.encoded = num_steps, encoded
        self.fc1, self.lif1 = nn.Linear(48, 32), snntorch.Leaky(beta=0.9, threshold=0.3)
        self.fc2, self.lif2 = nn.Linear(32, 10), snntorch.Synaptic(alpha=0.8, beta=0.9)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1 = self.lif1.init_leaky()
        syn2, mem2 = self.lif2.init_synaptic()
        spk2_rec, mem2_rec = [], []
        for step in range(self.num_steps):
            current = x[step] if self.encoded else x.view(x.size(0), -1)
            spk1, mem1 = self.lif1(self.fc1(current), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


class NorseNet(nn.Module):
    """A `SequentialState` called once a step on the spikes of an encoder."""

    def __init__(self, time: int = 4) -> None:
        super().__init__()
        fires = norse.LIFParameters(v_th=torch.tensor(0.05))
        self.encoder = norse.ConstantCurrentLIFEncoder(time, p=fires)
        self.layers = norse.SequentialState(
            nn.Conv2d(3, 8, 3, padding=1),
            norse.LIFCell(fires),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * 64, 12),
            norse.LIFCell(fires),
            nn.Linear(12, 10),
            norse.LICell(),
        )
        self.T = time

    def forward(self, x: Tensor) -> Tensor:
        frames, state, out = self.encoder(x * 40), None, []
        for t in range(self.T):
            y, state = self.layers(frames[t], state)
            out.append(y)
        return torch.stack(out).max(0).values


class LiftedNet(nn.Module):
    """Norse over a whole sequence: layers without time are lifted over it, neurons loop inside."""

    def __init__(self) -> None:
        super().__init__()
        fires = norse.LIFParameters(v_th=torch.tensor(0.05))
        self.layers = norse.SequentialState(
            norse.Lift(nn.Conv2d(2, 4, 3, padding=1)),
            norse.LIF(fires),
            nn.Flatten(2),
            nn.Linear(4 * 64, 10),
            norse.LIF(fires),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)[0].mean(0)
