"""Train a spiking network with fewer synaptic operations, and watch its firing rates.

The network of sinabs' tutorial "Training an SNN with fewer SynOps and monitoring the firing rate",
on Picojoule: only the imports differ, and the numbers are the same to the printed digit.

    python examples/train_with_fewer_synops.py --out runs/seed

Takes about ten seconds; leaves three pictures in the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import picojoule
import picojoule.layers as sl
from picojoule.hooks import firing_rate_per_neuron_hook, register_synops_hooks

BATCH_SIZE = 5
TARGET_SYNOPS = 1e5
TARGET_FIRING_RATE = 0.5
SYNOPS_LOSS_WEIGHT = 0.01
RATE_LOSS_WEIGHT = 1.0


class SNN(nn.Sequential):
    """A LeNet whose activations are integrate-and-fire neurons.

    Convolutions know nothing of time, so time is folded into the batch axis on the way in and
    unfolded on the way out; the neuron layers are told the batch size to keep the two apart.
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__(
            sl.FlattenTime(),
            nn.Conv2d(1, 16, 5, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            sl.SumPool2d(2),
            nn.Conv2d(16, 32, 5, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            sl.SumPool2d(2),
            nn.Conv2d(32, 120, 4, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            nn.Flatten(),
            nn.Linear(120, 10, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            sl.UnflattenTime(batch_size=batch_size),
        )


def build() -> tuple[SNN, Tensor]:
    """The network, watched, and its input: a spike at every pixel and time step."""
    torch.manual_seed(1)
    snn = SNN(batch_size=BATCH_SIZE)
    register_synops_hooks(snn)
    for layer in snn:
        if isinstance(layer, sl.StatefulLayer) and layer.does_spike:
            layer.register_forward_hook(firing_rate_per_neuron_hook)
    return snn, torch.ones((BATCH_SIZE, 10, 1, 28, 28))


def print_synops(snn: SNN) -> None:
    """What the last forward pass spent, in all and layer by layer."""
    print("Synops after feeding input:")
    print(f"Total: {snn.hook_data['total_synops_per_timestep']:.2e} SynOps per step")
    print("Per layer:")
    for layer_idx, synops in snn.hook_data["synops_per_timestep"].items():
        print(f"- Layer {layer_idx}: {synops:.2e} SynOps per step")


def spiking_layers(snn: SNN) -> dict[int, nn.Module]:
    """The layers whose firing rates are watched, by index."""
    return {
        layer_idx: layer
        for layer_idx, layer in enumerate(snn)
        if isinstance(layer, sl.StatefulLayer) and hasattr(layer, "hook_data")
    }


def print_rates(snn: SNN) -> None:
    """How many neurons of each layer kept silent in the last forward pass."""
    for layer_idx, layer in spiking_layers(snn).items():
        firing_rates = layer.hook_data["firing_rate_per_neuron"]
        print(f"Layer {layer_idx}:")
        print(f"\tShape: {firing_rates.shape}")
        print(f"\tSilent neurons: {(firing_rates == 0).float().mean():.2%}")


def synops_loss(snn: SNN, target_synops: float) -> Tensor:
    """Squared excess over the target, summed over the layers."""
    return sum(
        nn.functional.relu(synops - target_synops) ** 2
        for synops in snn.hook_data["synops_per_timestep"].values()
    )


def firing_rate_loss(snn: SNN, target_rate: float) -> Tensor:
    """Squared shortfall below the target, summed over the neurons of all layers."""
    return sum(
        (nn.functional.relu(target_rate - layer.hook_data["firing_rate_per_neuron"]) ** 2).sum()
        for layer in spiking_layers(snn).values()
    )


def train(snn: SNN, spikes: Tensor, epochs: int = 100) -> dict[int, list[float]]:
    """Push the layers down to the target and silent neurons up to the minimum rate.

    Returns the SynOps per step of each layer over the epochs. Layer 1 cannot change: what it spends
    depends on the input and on its own shape alone.
    """
    optim = torch.optim.Adam(snn.parameters(), lr=1e-3)
    synops_per_layer: dict[int, list[float]] = {idx: [] for idx in (1, 4, 7, 10)}
    for _ in range(epochs):
        picojoule.reset_states(snn)
        picojoule.zero_grad(snn)
        optim.zero_grad()

        snn(spikes)

        loss = SYNOPS_LOSS_WEIGHT * synops_loss(snn, TARGET_SYNOPS)
        loss = loss + RATE_LOSS_WEIGHT * firing_rate_loss(snn, TARGET_FIRING_RATE)
        loss.backward()
        optim.step()

        for idx, synops in snn.hook_data["synops_per_timestep"].items():
            synops_per_layer[idx].append(synops.item())
    return synops_per_layer


def plot_rates(snn: SNN, path: Path) -> None:
    """Distribution of the firing rates of each layer."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots()
    for layer_idx, layer in spiking_layers(snn).items():
        axes.hist(
            layer.hook_data["firing_rate_per_neuron"].detach().flatten().numpy(),
            bins=(np.arange(8) - 0.5) * 0.5,
            label=f"Layer {layer_idx}",
            density=True,
            ec="white",
            alpha=0.75,
        )
    axes.set(
        title="Firing rate distributions",
        xlabel="Firing rate in spikes / timestep",
        ylabel="Probability density",
    )
    axes.legend(loc="best")
    figure.savefig(path)


def plot_synops(synops_per_layer: dict[int, list[float]], path: Path) -> None:
    """What each layer spent over the epochs, with the target."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    for idx, synops in synops_per_layer.items():
        axes.plot(synops, label=f"Layer {idx}")
    axes.axhline(y=TARGET_SYNOPS, color="black", label="Target synops")
    axes.set(
        title="SynOps during training",
        xlabel="Epoch",
        ylabel="Mean synaptic operations per step",
    )
    axes.legend()
    figure.savefig(path)


def main(out: Path) -> dict[int, list[float]]:
    """The whole tutorial; pictures go to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    snn, spikes = build()

    snn(spikes)
    print_synops(snn)
    print_rates(snn)
    plot_rates(snn, out / "rates_before.png")

    synops_per_layer = train(snn, spikes)
    plot_synops(synops_per_layer, out / "synops.png")
    print_rates(snn)
    plot_rates(snn, out / "rates_after.png")
    return synops_per_layer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/seed"), help="folder for pictures")
    main(parser.parse_args().out)
