"""The readers that are shown damaged files: what they read when it is sound, and how they may refuse."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.data.aedat4_file import aedat4, packet
from tests.data.prophesee_files import dat, evt2, evt3, some_events
from tests.data.test_cifar10 import NAMES, python_2_pickle, write_cifar10
from tests.data.test_cifar10_dvs import write_cifar10_dvs
from tests.data.test_dvs_gesture import write_gestures
from tests.data.test_idx import write_mnist
from tests.data.test_n_mnist import write_n_mnist
from tests.data.test_shd import write_shd
from tests.fuzz.damage import (
    Damage,
    in_bytes,
    in_json_header,
    in_npy_header,
    in_text,
    within_gzip,
)
from tests.fuzz.damage_hdf5 import within_hdf5


@dataclass(frozen=True)
class Reader:
    """A reader, sound files for it, and what is damaged.

    Attributes:
        name: of the format.
        write: writes sound files into a folder.
        victims: names of the files that are damaged, one at a time; all if there are none.
        damaged: a file's content, damaged.
        read: reads the folder.
        errors: how it refuses, as documented.
        tells: what a message may name in place of the file.
    """

    name: str
    write: Callable[[Path], object]
    victims: tuple[str, ...]
    damaged: Damage
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...] = (ValueError,)
    tells: tuple[str, ...] = ()


def every_sample(folder: Path) -> None:
    from picojoule.data import load_data

    for half in load_data(folder, num_timesteps=3):
        for index in range(len(half)):  # type: ignore[arg-type]
            frames, _ = half[index]
            assert frames.isfinite().all()


def images(folder: Path) -> None:
    from picojoule.data import load_data

    load_data(folder)


def write_plain_cifar10(folder: Path) -> None:
    """The published protocol, and a newer one with frames, bytes and a memo."""
    write_cifar10(folder)
    pixels = np.zeros((2, 3072), np.uint8)
    (folder / NAMES[1]).write_bytes(python_2_pickle(pixels, [1, 2]))
    (folder / NAMES[2]).write_bytes(pickle.dumps({b"data": pixels, b"labels": [1, 2]}, protocol=4))


def both_npy(folder: Path) -> None:
    from picojoule.data.npy import read_npy

    for name in ("tokens.npy", "spikes.npy"):
        read_npy(folder / name)


def write_npy(folder: Path) -> None:
    np.save(folder / "tokens.npy", np.arange(40).reshape(2, 20))
    np.save(folder / "spikes.npy", np.asfortranarray(np.ones((3, 5), np.float16)))


def write_prophesee(folder: Path) -> None:
    for name, write in (("evt2.raw", evt2), ("evt3.raw", evt3), ("cd.dat", dat)):
        (folder / name).write_bytes(write(some_events(0)))


def write_aedat4(folder: Path) -> None:
    packets = (packet(some_events(k, 50)) for k in range(3))
    (folder / "camera.aedat4").write_bytes(aedat4(*packets))


def write_npy_events(folder: Path) -> None:
    fields = [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "i1")]
    np.save(folder / "fields.npy", np.ones(40, fields))
    np.save(folder / "matrix.npy", np.ones((40, 4), np.float32))


def every_recording(folder: Path) -> None:
    from picojoule.data import read_events

    for path in sorted(folder.iterdir()):
        if path.name == "matrix.npy":
            read_events(path, time_unit="s", columns=("t", "x", "y", "p"))
        else:
            read_events(path)


def write_nir(folder: Path) -> None:
    import nir

    import picojoule
    from picojoule.layers import LIF, ExpLeak, IAFSqueeze, LIFRecurrent, SumPool2d

    recurrent = LIFRecurrent(tau_mem=10.0, rec_connect=nn.Linear(3, 3))
    networks = {
        "dense": (nn.Sequential(nn.Linear(4, 3), LIF(10.0, tau_syn=5.0)), torch.ones(1, 5, 4)),
        "conv": (
            nn.Sequential(
                nn.Conv2d(1, 2, 3),
                IAFSqueeze(batch_size=1),
                SumPool2d(2),
                nn.Flatten(),
                nn.Linear(2, 3),
            ),
            torch.ones(5, 1, 4, 4),
        ),
        "recurrent": (nn.Sequential(recurrent, nn.Linear(3, 2), ExpLeak(5.0)), torch.ones(1, 5, 3)),
    }
    for name, (network, data) in networks.items():
        nir.write(folder / f"{name}.nir", picojoule.to_nir(network, data))


def read_nir(folder: Path) -> None:
    import picojoule

    for path in sorted(folder.glob("*.nir")):
        picojoule.from_nir(path)


CONFIG = b"""\
model: lenet
epochs: 2
batch_size: 50
synops_per_timestep: {conv1: 6e4, '4': 1e5}
groups: {all: [conv1, '4']}
min_rate: 0.01
pixel_rate: 1.0
validation_share: 0.1
precision: 32-true
check_finite: true
start_from: null
"""


def read_config(folder: Path) -> None:
    """As `picojoule train --config` does."""
    from picojoule.cli.train import _asked

    _asked(folder / "run.yaml", {}, {}, resume=False)


def write_sweep(folder: Path) -> None:
    (folder / "sweep.json").write_text(json.dumps(_sweep().to_dict()))


def _sweep() -> Any:
    from picojoule.training.sweeping.config import SweepConfig

    return SweepConfig(budgets=(0.1, 0.5))


def read_sweep(folder: Path) -> None:
    from picojoule.training.sweeping.folder import sweep_folder

    with sweep_folder(folder, _sweep(), alone=False):
        pass


def write_frontier(folder: Path) -> None:
    from picojoule.training import Frontier, Outcome, SweepConfig

    config = SweepConfig(budgets=(0.5,), seeds=2, axes={"num_timesteps": (3, 5)})
    outcomes = {
        run: Outcome(0.5, {"1": 10.0, "4": 20.0 + run.seed}, ("4",), 0.1, 3.0, steps=7)
        for run in config.all_runs()
    }
    Frontier.of(config, outcomes).save(folder / "frontier.json")


def read_frontier(folder: Path) -> None:
    from picojoule.training import Frontier

    _use(Frontier.load(folder / "frontier.json"))


def _use(frontier: Any) -> None:
    """What is read has to be good for all that is done with it."""
    json.dumps(frontier.merge(frontier).to_dict(), allow_nan=False)
    assert frontier.hypervolume() >= 0
    frontier.cheapest_within(1.0)


def write_comparison(folder: Path) -> None:
    layers = {"4": 20.0, "7": 10.0}
    runs = [
        {"method": method, "seed": seed, "accuracy": 0.5, "by_layer": layers, **more}
        for seed in (1, 2)
        for method, more in (
            ("no budget", {"silent_share": 0.1}),
            ("Budget", {"share": 0.5, "budget": 50.0}),
            ("SSP", {"weight": 0.1}),
        )
    ]
    found = {"settings": {"epochs": 6, "num_timesteps": 5}, "runs": runs}
    (folder / "budget.json").write_text(json.dumps(found))


def read_comparison(folder: Path) -> None:
    from picojoule.training import TrainConfig
    from picojoule.training.sweeping import comparison

    read = comparison.read_comparison(folder / "budget.json")
    read.differences(TrainConfig())
    for frontier in (read.frontier, *read.frontier.by_method().values()):
        _use(frontier)


def a_network() -> nn.Module:
    from picojoule.layers import LIF

    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), LIF(10.0), nn.Linear(3, 2))


def write_checkpoint(folder: Path) -> None:
    from picojoule.training.files.checkpoint import save_checkpoint

    model = a_network()
    optimizer = torch.optim.Adam(model.parameters())
    sum(p.sum() for p in model.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    progress = {"epochs": 3, "budget": {"multipliers": torch.ones(2)}, "history": [1.0, 2.0]}
    save_checkpoint(folder / "checkpoint.safetensors", model, optimizer, progress)


def read_checkpoint(folder: Path) -> None:
    from picojoule.training.files.checkpoint import load_checkpoint

    model = a_network()
    load_checkpoint(folder / "checkpoint.safetensors", model, torch.optim.Adam(model.parameters()))


def write_weights(folder: Path) -> None:
    write_checkpoint(folder)
    torch.save(a_network().state_dict(), folder / "weights.pt")


def read_weights(folder: Path) -> None:
    from picojoule.training.files.weights import load_weights

    for name in ("checkpoint.safetensors", "weights.pt"):
        load_weights(a_network(), folder / name)


_GESTURES = ("user01_fluorescent", "user24_natural")

READERS = (
    Reader(
        "IDX",
        write_mnist,
        ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        in_bytes,
        images,
    ),
    Reader(
        "gzipped IDX",
        lambda folder: write_mnist(folder, zipped=True),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        within_gzip,
        images,
    ),
    Reader("CIFAR-10 pickles", write_plain_cifar10, tuple(NAMES[:3]), in_bytes, images),
    Reader(
        "CIFAR-10 binary",
        lambda folder: write_cifar10(folder, "binary"),
        ("data_batch_1.bin", "test_batch.bin"),
        in_bytes,
        images,
    ),
    Reader(".npy", write_npy, ("tokens.npy", "spikes.npy"), in_npy_header, both_npy),
    Reader(
        "N-MNIST", write_n_mnist, ("Train/9/00001.bin", "Test/8/00002.bin"), in_bytes, every_sample
    ),
    Reader(
        "DVS128 Gesture recordings",
        write_gestures,
        tuple(f"{name}.aedat" for name in _GESTURES),
        in_bytes,
        every_sample,
    ),
    Reader(
        "DVS128 Gesture labels and lists",
        write_gestures,
        (*(f"{name}_labels.csv" for name in _GESTURES), "trials_to_train.txt"),
        in_text,
        every_sample,
        (ValueError, FileNotFoundError),
        ("is missing",),
    ),
    Reader(
        "CIFAR10-DVS",
        write_cifar10_dvs,
        ("cat/cifar10_cat_0.aedat", "dog/cifar10_dog_1.aedat"),
        in_bytes,
        every_sample,
    ),
    Reader(
        "Prophesee",
        write_prophesee,
        ("evt2.raw", "evt3.raw", "cd.dat"),
        in_bytes,
        every_recording,
        (ValueError, NotImplementedError),
    ),
    Reader("AEDAT 4", write_aedat4, ("camera.aedat4",), in_bytes, every_recording),
    Reader(
        "events in .npy",
        write_npy_events,
        ("fields.npy", "matrix.npy"),
        in_npy_header,
        every_recording,
        (ValueError, TypeError),
    ),
    Reader("SHD", write_shd, ("shd_train.h5", "shd_test.h5"), within_hdf5, every_sample),
    Reader(
        "NIR",
        write_nir,
        ("dense.nir", "conv.nir", "recurrent.nir"),
        within_hdf5,
        read_nir,
        (ValueError, NotImplementedError),
        ("from_nir",),
    ),
    Reader(
        "YAML of train",
        lambda folder: (folder / "run.yaml").write_bytes(CONFIG),
        ("run.yaml",),
        in_text,
        read_config,
        (ValueError, TypeError),
        ("training: ", "expected"),
    ),
    Reader(
        "sweep.json",
        write_sweep,
        ("sweep.json",),
        in_text,
        read_sweep,
        tells=("a sweep with other settings",),
    ),
    Reader("frontier.json", write_frontier, (), in_text, read_frontier),
    Reader("comparison of methods", write_comparison, (), in_text, read_comparison),
    Reader("checkpoint", write_checkpoint, (), in_json_header, read_checkpoint),
    Reader("weights", write_weights, (), in_bytes, read_weights),
)
