"""Train an ANN that will be cheap as an SNN: a loss on synaptic operations (SynOps).

sinabs' tutorial on the subject, on Picojoule: a LeNet learns MNIST and, in the same two epochs, to spend
40 million SynOps an image in place of 100 million. Needs no spikes: a ReLU that rounds down gives the whole
numbers that a spiking neuron would give over time.

    python examples/ann_with_synops_loss.py --data FOLDER     the four IDX files of MNIST
    python examples/ann_with_synops_loss.py                   the bundled 6000 images of Fashion-MNIST
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import picojoule.layers as sl
from picojoule.data import ImageData, load_images
from picojoule.hooks import register_synops_hooks

target_synops = 4e7  # per image; pixels count as up to 255 spikes
# (7e7 above the target)^2 * 1e-12 = 4900, a first task loss is about 100
synops_loss_weight = 1e-12
batch_size = 512


# ---- 1. A network ----------------------------------------------------------------------------------
# NeuromorphicReLU rounds its output down, with a gradient as if it did not. Told the fan-out, it
# estimates what its output will cost in the next layer: `activity`. The estimate takes every window of
# the next convolution for whole; the hooks also know the borders, so the loss is made of theirs.
def make_ann() -> nn.Sequential:
    torch.manual_seed(1)
    ann = nn.Sequential(
        nn.Conv2d(1, 16, 5, bias=False),
        sl.NeuromorphicReLU(fanout=32 * 5 * 5),
        sl.SumPool2d(2),
        nn.Conv2d(16, 32, 5, bias=False),
        sl.NeuromorphicReLU(fanout=120 * 4 * 4),
        sl.SumPool2d(2),
        nn.Conv2d(32, 120, 4, bias=False),
        sl.NeuromorphicReLU(fanout=10),
        nn.Flatten(),
        nn.Linear(120, 10, bias=False),
    )
    register_synops_hooks(ann)
    return ann


def synops_by_layer(ann: nn.Sequential) -> dict[str, float]:
    return {str(key): x.item() for key, x in ann.hook_data["synops_per_timestep"].items()}


# ---- 2. Training -----------------------------------------------------------------------------------
# The plain task loss, and the squared distance to the target. An ANN has no time, so the SynOps "per
# time step" are those of an image, mean over the batch.
def train(
    ann: nn.Sequential, data: ImageData, epochs: int, order_seed: int
) -> dict[str, list[float]]:
    """Returns both losses of the first and the last batch."""
    optimiser = torch.optim.Adam(ann.parameters(), lr=1e-3)
    order = torch.Generator().manual_seed(order_seed)
    images, labels = data.train.images, data.train.labels.long()
    losses: dict[str, list[float]] = {"task": [], "synops": []}
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=order).split(batch_size):
            logits = ann(images[batch, None].float())
            task_loss = nn.functional.cross_entropy(logits, labels[batch])
            excess = ann.hook_data["total_synops_per_timestep"] - target_synops
            synops_loss = synops_loss_weight * excess**2
            optimiser.zero_grad()
            (task_loss + synops_loss).backward()
            optimiser.step()
            losses["task"].append(task_loss.item())
            losses["synops"].append(synops_loss.item())
    return {name: [values[0], values[-1]] for name, values in losses.items()}


# ---- 3. The result ---------------------------------------------------------------------------------
@torch.no_grad()
def test(ann: nn.Sequential, data: ImageData) -> dict[str, Any]:
    """Accuracy, and SynOps per image: mean over the test set and those of its last batch."""
    right, synops = 0, 0.0
    batches = zip(
        data.test.images.split(batch_size), data.test.labels.split(batch_size), strict=True
    )
    for images, labels in batches:
        right += int((ann(images[:, None].float()).argmax(1) == labels).sum())
        synops += len(images) * ann.hook_data["total_synops_per_timestep"].item()
    return {
        "accuracy": right / len(data.test.labels),
        "synops_per_image": synops / len(data.test.labels),
        "synops_per_image_last_batch": ann.hook_data["total_synops_per_timestep"].item(),
        "synops_per_image_last_batch_by_layer": synops_by_layer(ann),
    }


def first_image(data: ImageData) -> Tensor:
    return data.train.images[:1, None].float()


def main(folder: Path | None, epochs: int, orders: int) -> dict[str, Any]:
    data = load_images(folder)
    untrained = make_ann()
    untrained(first_image(data))
    total = untrained.hook_data["total_synops_per_timestep"].item()
    print(f"One image through the untrained network: {total:.3g} SynOps")
    for key, synops in synops_by_layer(untrained).items():
        print(f"- Layer {key}: {synops:.3g}")
    estimate = untrained[1].activity.item()
    print(f"  (layer 3 as estimated from fanout, borders taken for whole: {estimate:.3g})")

    runs = []
    for seed in range(orders):
        ann, started = make_ann(), time.perf_counter()
        losses = train(ann, data, epochs, order_seed=seed)
        run = {"order_seed": seed, **test(ann, data), "loss_first_and_last_batch": losses}
        run["training_s"] = round(time.perf_counter() - started, 1)
        runs.append(run)
        print(
            f"Order {seed}, {epochs} epochs: accuracy {run['accuracy']:.2%} at {run['synops_per_image']:.3g} SynOps an "
            f"image ({run['synops_per_image_last_batch']:.3g} in the last batch), {run['training_s']} s"
        )
    return {
        "what": "examples/ann_with_synops_loss.py",
        "data": f"{len(data.train.labels)} training and {len(data.test.labels)} test images",
        "target_synops": target_synops,
        "epochs": epochs,
        "untrained_first_image": {"total": total, "by_layer": synops_by_layer(untrained)},
        "runs": runs,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the four IDX files")
    parser.add_argument(
        "--epochs", type=int, help="2, or 20 on the ten times smaller bundled images"
    )
    parser.add_argument(
        "--orders", type=int, default=1, help="runs, each with its own order of the data"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    figures = main(
        arguments.data, arguments.epochs or (2 if arguments.data else 20), arguments.orders
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
