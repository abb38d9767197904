"""From a CNN to a spiking network of whole numbers, and out to other tools.

A CNN is trained in plain PyTorch. Then, step by step: its batch normalisation is folded away, its
weights are normalised, its ReLUs become integrate-and-fire neurons, its numbers become 8-bit integers,
and it goes out and back through NIR. After each step the table shows what is left of the accuracy and what
the network spends.

    python examples/convert_a_cnn.py --data FOLDER     the four IDX files of MNIST
    python examples/convert_a_cnn.py                   the bundled 6000 images of Fashion-MNIST
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

import picojoule
from picojoule.convert import discretize, fold_batch_norm, normalize_weights, plan_discretization
from picojoule.data import ImageData, Split, load_images, rate_code
from picojoule.hooks import register_synops_hooks

num_timesteps = 50
batch_size = 100


class Stage(NamedTuple):
    """One line of the table."""

    name: str
    accuracy: float
    synops: float  # per time step; per image for the CNN
    output: Tensor  # for the whole test set


# ---- 1. A CNN, plain PyTorch -------------------------------------------------------------------------
def make_cnn() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 10),
        nn.ReLU(),
    )


def train(cnn: nn.Sequential, data: Split, epochs: int) -> None:
    optimiser = torch.optim.Adam(cnn.parameters(), lr=3e-3)
    labels = data.labels.long()
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(batch_size):
            # the last ReLU is for the neurons it will become; the loss looks at what goes into it
            logits = cnn[:-1](brightness(data.images[batch]))
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimiser.step()
    cnn.eval()


def brightness(images: Tensor) -> Tensor:
    return images[:, None].float() / 255


# ---- 2. Measuring ------------------------------------------------------------------------------------
# An SNN sees an image as spikes whose rate is the brightness, and answers with the output neuron that
# spikes most. All spiking stages see the same spikes. SynOps are counted by hooks, in the same pass.
def spikes_of(images: Tensor, first: int) -> Tensor:
    """`(b t) 1 h w`, batch and time in one axis, as the neurons in a CNN have it."""
    generator = torch.Generator().manual_seed(first)
    return rate_code(images, num_timesteps, generator=generator).flatten(0, 1)


def count_spikes(output: Tensor) -> Tensor:
    return output.unflatten(0, (-1, num_timesteps)).sum(1)


@torch.no_grad()
def measure(
    name: str,
    model: nn.Sequential,
    data: Split,
    encode: Callable[[Tensor, int], Tensor] = spikes_of,
    decode: Callable[[Tensor], Tensor] = count_spikes,
) -> Stage:
    outputs, synops = [], 0.0
    with register_synops_hooks(model):
        for first in range(0, len(data.labels), batch_size):
            picojoule.reset_states(model)
            outputs.append(model(encode(data.images[first : first + batch_size], first)))
            synops += batch_size * model.hook_data["total_synops_per_timestep"].item()
    output = torch.cat(outputs)
    right = (decode(output).argmax(1) == data.labels).sum().item()
    return Stage(name, right / len(data.labels), synops / len(data.labels), output)


def measure_cnn(name: str, cnn: nn.Sequential, data: Split) -> Stage:
    return measure(name, cnn, data, lambda images, _: brightness(images), lambda output: output)


# ---- 3. The steps ------------------------------------------------------------------------------------
def convert(data: ImageData, epochs: int) -> list[Stage]:
    cnn = make_cnn()
    train(cnn, data.train, epochs)
    stages = [measure_cnn("CNN", cnn, data.test)]

    # a chip has no batch normalisation: it becomes part of the convolutions
    folded = fold_batch_norm(cnn)
    # a neuron's rate is its activation, so activations should not be far above 1 spike per step
    relus = [name for name, layer in folded.named_children() if isinstance(layer, nn.ReLU)]
    weighted = [name for name, layer in folded.named_children() if hasattr(layer, "weight")]
    normalize_weights(folded, brightness(data.train.images[:1000]), relus, weighted, percentile=99)
    stages.append(measure_cnn("CNN, folded and normalised", folded, data.test))

    # each ReLU becomes a layer of integrate-and-fire neurons
    snn = picojoule.from_model(folded, batch_size=batch_size, min_v_mem=None).spiking_model
    stages.append(measure(f"SNN, {num_timesteps} steps", snn, data.test))

    picojoule.reset_states(snn)
    print(plan_discretization(snn, bias_bits=16), "\n")
    whole = discretize(snn, bias_bits=16)
    stages.append(measure("SNN, 8-bit weights", whole, data.test))

    # NIR is what other simulators and chips read; the test is that nothing is lost on the way
    graph = picojoule.to_nir(whole, spikes_of(data.test.images[:batch_size], 0))
    back = picojoule.from_nir(graph, batch_size=batch_size)
    stages.append(measure("the same, through NIR", back, data.test))
    if not torch.equal(stages[-1].output, stages[-2].output):
        raise AssertionError("the network that came back through NIR gives other spikes")
    return stages


def main(folder: Path | None, epochs: int) -> dict[str, object]:
    started = time.perf_counter()
    data = load_images(folder)
    stages = convert(data, epochs)
    print(f"{'stage':30} accuracy   SynOps per step")
    for stage in stages:
        print(f"{stage.name:30} {stage.accuracy:8.2%}   {stage.synops:15.4g}")
    return {
        "what": "examples/convert_a_cnn.py",
        "data": f"{len(data.train.labels)} training and {len(data.test.labels)} test images",
        "num_timesteps": num_timesteps,
        "stages": [
            {"name": s.name, "accuracy": s.accuracy, "synops_per_timestep": s.synops}
            for s in stages
        ],
        "identical_spikes_through_nir": True,  # or there would have been an error
        "threads": torch.get_num_threads(),
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the four IDX files")
    parser.add_argument(
        "--epochs", type=int, help="2, or 8 on the ten times smaller bundled images"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    figures = main(arguments.data, arguments.epochs or (2 if arguments.data else 8))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
