"""Train a spiking network with fewer synaptic operations, and watch its firing rates.

sinabs' tutorial on the subject, on Picojoule: of the library only the imports have changed, and the
numbers are the same to the printed digit. Runs in seconds on a CPU and leaves three pictures.

    python examples/train_with_fewer_synops.py --out runs/seed

A synaptic operation (SynOp) is one spike arriving at one synapse. On neuromorphic chips it is what
costs energy, so a network with fewer of them is a cheaper one. Read from top to bottom: a network, the
hooks that watch it, two losses, the training, the pictures.
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

batch_size = 5
target_synops = 1e5  # what a layer may spend per time step
target_firing_rate = 0.5  # spikes per time step that a neuron should reach
synops_loss_weight = 0.01
rate_loss_weight = 1.0


# ---- 1. A network ----------------------------------------------------------------------------------
# A LeNet with integrate-and-fire neurons (IAF) for activations. Convolutions know nothing of time, so
# FlattenTime folds time into the batch axis, (b, t, ...) -> (b*t, ...), and UnflattenTime undoes it.
# The "Squeeze" neurons work on the folded axis; told the batch size, they find the time steps in it.
class SNN(nn.Sequential):
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


# ---- 2. Watching it --------------------------------------------------------------------------------
# Hooks write into `hook_data` at every forward pass: SynOps on the model and its layers, a rate for
# each neuron on the spiking layers. These are live tensors, so a loss can be made of them.
def watched_snn() -> SNN:
    torch.manual_seed(1)
    snn = SNN(batch_size=batch_size)
    register_synops_hooks(snn)
    for layer in snn:
        if isinstance(layer, sl.StatefulLayer) and layer.does_spike:
            layer.register_forward_hook(firing_rate_per_neuron_hook)
    return snn


def input_spikes() -> Tensor:
    """(batch, time, channel, height, width): a spike at every pixel and every one of 10 steps."""
    return torch.ones((batch_size, 10, 1, 28, 28)).float()


def print_synops(snn: SNN) -> None:
    # Layer 1 can be checked by hand: each of its 16 x 24 x 24 outputs has a window of 5 x 5 pixels,
    # and a spike arrives from every pixel at every step: 16 * 24 * 24 * 25 = 230400 SynOps.
    print("Synops after feeding input:")
    print(f"Total: {snn.hook_data['total_synops_per_timestep']:.2e} SynOps per step")
    print("Per layer:")
    for layer_idx, synops in snn.hook_data["synops_per_timestep"].items():
        print(f"- Layer {layer_idx}: {synops:.2e} SynOps per step")


def firing_rates_by_layer(snn: SNN) -> dict[int, Tensor]:
    return {
        layer_idx: layer.hook_data["firing_rate_per_neuron"]
        for layer_idx, layer in enumerate(snn)
        if isinstance(layer, sl.StatefulLayer) and hasattr(layer, "hook_data")
    }


def print_firing_rates(snn: SNN) -> None:
    for layer_idx, firing_rates in firing_rates_by_layer(snn).items():
        print(f"Layer {layer_idx}:")
        print(f"\tShape: {firing_rates.shape}")
        print(f"\tSilent neurons: {(firing_rates == 0).float().mean():.2%}")


# ---- 3. Two losses ---------------------------------------------------------------------------------
# One pushes down each layer that spends more than the target. Alone it could silence the network, so
# the other pulls up each neuron that fires too rarely to tell the next layer anything. The ReLUs see
# to it that whoever keeps to the target is left in peace.
def get_synops_squared_error(synops: Tensor, target_synops: float) -> Tensor:
    above_target = nn.functional.relu(synops - target_synops)
    return above_target**2


def get_synops_loss(snn: SNN, target_synops: float) -> Tensor:
    return sum(
        get_synops_squared_error(synops, target_synops)
        for synops in snn.hook_data["synops_per_timestep"].values()
    )


def get_firing_rate_squared_error(firing_rates: Tensor, target_rate: float) -> Tensor:
    below_target = nn.functional.relu(target_rate - firing_rates)
    return (below_target**2).sum()


def get_firing_rate_loss(snn: SNN, target_rate: float) -> Tensor:
    return sum(
        get_firing_rate_squared_error(firing_rates, target_rate)
        for firing_rates in firing_rates_by_layer(snn).values()
    )


# ---- 4. Training -----------------------------------------------------------------------------------
# There are no labels: the two losses are all that is trained on. Neurons remember their potential from
# one forward pass to the next, so it is reset before each of them.
def train(snn: SNN, rand_input_spikes: Tensor, epochs: int = 100) -> dict[int, list[float]]:
    """Returns the SynOps per step of each layer over the epochs."""
    optim = torch.optim.Adam(snn.parameters(), lr=1e-3)
    synops_per_layer: dict[int, list[float]] = {idx: [] for idx in (1, 4, 7, 10)}

    for _ in range(epochs):
        picojoule.reset_states(snn)
        picojoule.zero_grad(snn)
        optim.zero_grad()

        snn(rand_input_spikes)

        synop_loss = synops_loss_weight * get_synops_loss(snn, target_synops)
        firing_rate_loss = rate_loss_weight * get_firing_rate_loss(snn, target_firing_rate)
        loss = synop_loss + firing_rate_loss
        loss.backward()
        optim.step()

        for idx, synops in snn.hook_data["synops_per_timestep"].items():
            synops_per_layer[idx].append(synops.item())
    return synops_per_layer


# ---- 5. Pictures -----------------------------------------------------------------------------------
def plot_firing_rates(snn: SNN, title: str, path: Path) -> None:
    rates = firing_rates_by_layer(snn)
    figure = Figure(figsize=(10, 6), dpi=120, layout="constrained")
    axes = figure.subplots()
    # several data sets in one call are drawn side by side, so that no layer hides another
    axes.hist(
        [firing_rates.detach().flatten().numpy() for firing_rates in rates.values()],
        bins=(np.arange(8) - 0.5) * 0.5,
        label=[f"Layer {layer_idx}, {rate.numel()} neurons" for layer_idx, rate in rates.items()],
        density=True,
    )
    axes.set(title=title, xlabel="Firing rate in spikes / timestep", ylabel="Probability density")
    axes.legend(loc="best")
    figure.savefig(path)


def plot_synops(synops_per_layer: dict[int, list[float]], path: Path) -> None:
    # Layer 1 stays where it is: what it spends depends on the input and its own shape alone.
    figure = Figure(figsize=(10, 6), dpi=120, layout="constrained")
    axes = figure.subplots()
    for idx, synops in synops_per_layer.items():
        axes.plot(synops, label=f"Layer {idx}")
    axes.axhline(y=target_synops, color="black", ls="--", label="Target synops")
    axes.set_yscale("log")  # the layers lie three powers of ten apart
    axes.set(
        title="SynOps during training",
        xlabel="Epoch",
        ylabel="Mean synaptic operations per step",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))  # beside the lines, not on them
    figure.savefig(path)


def main(out: Path) -> dict[int, list[float]]:
    """The whole tutorial. Pictures go to `out`; returns what `train` does."""
    out.mkdir(parents=True, exist_ok=True)
    snn = watched_snn()
    rand_input_spikes = input_spikes()

    snn(rand_input_spikes)
    print_synops(snn)
    print_firing_rates(snn)
    plot_firing_rates(snn, "Firing rates before training", out / "rates_before.png")

    synops_per_layer = train(snn, rand_input_spikes)
    plot_synops(synops_per_layer, out / "synops.png")

    # Neurons of layers 8 and 11 have woken up. Those of 2 and 5 are kept down by the SynOps target of
    # the layers that they feed.
    print_firing_rates(snn)
    plot_firing_rates(snn, "Firing rates after training", out / "rates_after.png")
    return synops_per_layer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/seed"), help="folder for pictures")
    main(parser.parse_args().out)
