"""A data set and a configuration that train in a second."""

from pathlib import Path

import pytest
import torch

from picojoule.training import TrainConfig


class Silence:
    """A progress that tells nobody, but keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, what: str, total: int, done: int) -> None:
        pass

    def advance(self, status: str) -> None:
        pass

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


def write_idx(path: Path, array: torch.Tensor) -> None:
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + shape + bytes(array.flatten().tolist()))


@pytest.fixture(scope="session")
def few_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with a bright row that tells the class, in MNIST's layout."""
    folder = tmp_path_factory.mktemp("images")
    generator = torch.Generator().manual_seed(0)
    for prefix, n in (("train", 30), ("t10k", 20)):
        labels = (torch.arange(n) % 10).to(torch.uint8)
        images = torch.randint(0, 60, (n, 28, 28), dtype=torch.uint8, generator=generator)
        for image, label in zip(images, labels, strict=True):
            image[4 + 2 * int(label)] = 255
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder


@pytest.fixture(scope="session")
def config(few_images: Path) -> TrainConfig:
    """Three epochs of three batches, the last one smaller."""
    return TrainConfig(
        data=str(few_images),
        epochs=3,
        batch_size=12,
        num_timesteps=3,
        synops_per_timestep=2e4,
        min_rate=0.01,
    )


@pytest.fixture
def silence() -> Silence:
    return Silence()
