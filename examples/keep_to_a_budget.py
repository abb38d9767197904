"""The seed's task with a budget in place of two weights set by hand.

sinabs' tutorial asks for at most 1e5 SynOps per step and layer and for 0.5 spikes per step from each neuron, and weighs
the two against each other with 0.01 and 1.0. Here the numbers are stated and the weights are found:

    python examples/keep_to_a_budget.py --seeds 10

Layer 1 spends what its input makes it spend, and 0.5 spikes per step from layers 2 and 5 are more than the
limits of the layers behind them allow. The budget says so before it starts, and keeps the limits. There is no task, so
`budget.backward()` has no loss. A channel fires at all its pixels at once: SynOps of layer 4 come in steps of 20,480.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

import picojoule
import picojoule.layers as pl

BATCH_SIZE = 5
LIMIT = 1e5  # SynOps per time step and layer
FLOOR = 0.5  # spikes per time step and neuron
SPIKING = ("2", "5", "8", "11")
AFFORDABLE = ("8", "11")  # floors that no limit contradicts
TRAINED = ("4", "7", "10")


def snn() -> nn.Sequential:
    """The seed's network; its pooling lets gradient into silent windows."""
    return nn.Sequential(
        pl.FlattenTime(),
        nn.Conv2d(1, 16, 5, bias=False),
        pl.IAFSqueeze(batch_size=BATCH_SIZE),
        pl.SumPool2d(2, silent_gradient=True),
        nn.Conv2d(16, 32, 5, bias=False),
        pl.IAFSqueeze(batch_size=BATCH_SIZE),
        pl.SumPool2d(2, silent_gradient=True),
        nn.Conv2d(32, 120, 4, bias=False),
        pl.IAFSqueeze(batch_size=BATCH_SIZE),
        nn.Flatten(),
        nn.Linear(120, 10, bias=False),
        pl.IAFSqueeze(batch_size=BATCH_SIZE),
        pl.UnflattenTime(batch_size=BATCH_SIZE),
    )


def train(seed: int, steps: int, floor: float | None = FLOOR) -> dict[str, Any]:
    """One network; returns what it spends and how it fires at the end."""
    torch.manual_seed(seed)
    model, spikes = snn(), torch.ones(BATCH_SIZE, 10, 1, 28, 28)
    monitor = picojoule.Monitor(model).attach()
    budget = picojoule.Budget(
        monitor,
        synops_per_timestep=LIMIT,
        per="layer",
        min_rate=floor,
        rate_of="neuron",
        steps=steps,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    course = []
    for _ in range(steps):
        picojoule.reset_states(model)
        model(spikes)
        course.append(max(monitor.synops[name].item() for name in TRAINED) / LIMIT)
        optimizer.zero_grad()
        budget.backward()
        optimizer.step()
        decay.step()
        budget.step()
    budget.trim(lambda: model(spikes))
    picojoule.reset_states(model)
    with torch.no_grad():
        model(spikes)
    late = course[-steps // 3 :]
    return {
        "seed": seed,
        "floor": floor,
        "synops_per_timestep": {name: x.item() for name, x in monitor.synops.items()},
        "mean_rate": {name: rate.item() for name, rate in monitor.rates.mean.items()},
        "least_rate": {name: rate.min().item() for name, rate in monitor.rates.items()},
        "silent_share": {name: x.item() for name, x in monitor.rates.silent_share.items()},
        "late_over_limit": {"least": min(late), "most": max(late)},
        "unreachable": budget.unreachable,
        "infeasible": budget.infeasible,
        "not_reached": budget.not_reached,
    }


def main(seeds: int, steps: int, out: Path | None, floor: float | None) -> list[dict[str, Any]]:
    """All seeds; prints a line each."""
    results = []
    for seed in range(1, seeds + 1):
        with warnings.catch_warnings():
            warnings.simplefilter("always" if seed == 1 else "ignore")
            result = train(seed, steps, floor)
        results.append(result)
        synops = "  ".join(f"{result['synops_per_timestep'][name]:9.3e}" for name in TRAINED)
        rates = "  ".join(f"{result['mean_rate'][name]:.3f}" for name in SPIKING)
        least = "  ".join(f"{result['least_rate'][name]:.2f}" for name in SPIKING)
        print(f"seed {seed}: SynOps {synops} | mean rates {rates} | least {least}", flush=True)
    if out is not None:
        settings = {"steps": steps, "limit": LIMIT, "floor": floor, "torch": torch.__version__}
        out.write_text(json.dumps({"settings": settings, "seeds": results}, indent=1) + "\n")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--floor", type=float, default=FLOOR, help="of each neuron; 0: none")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    main(arguments.seeds, arguments.steps, arguments.out, arguments.floor or None)
