"""The images that come with the package: genuine, balanced, small."""

import hashlib
import re

import torch

from picojoule.data import BUNDLED, load_images


def test_the_files_have_the_checksums_beside_them() -> None:
    listed = dict(
        reversed(line.split())
        for line in re.findall(r"^[0-9a-f]{64}  \S+$", (BUNDLED / "README.md").read_text(), re.M)
    )
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in BUNDLED.glob("*.gz")
    }
    assert found == listed
    assert len(found) == 4


def test_they_are_at_most_4_mb_with_their_licence() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.glob("*.gz")) <= 4_000_000
    assert "MIT" in (BUNDLED / "LICENSE").read_text()


def test_every_class_has_as_many_images() -> None:
    data = load_images()
    assert torch.bincount(data.train.labels.int()).tolist() == [600] * 10
    assert torch.bincount(data.test.labels.int()).tolist() == [200] * 10


def test_they_start_as_the_official_files_do() -> None:
    data = load_images()
    assert data.train.labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert data.test.labels[:5].tolist() == [9, 2, 1, 1, 6]


def test_their_brightness_is_that_of_the_whole_set() -> None:
    # official training mean 72.94 of 255 over 60,000 images; an image's mean varies by about 42
    mean = load_images().train.images.double().mean().item()
    assert abs(mean - 72.94) < 4 * 42 / 6000**0.5
