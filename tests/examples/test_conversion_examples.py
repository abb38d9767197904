"""The examples of conversion run from end to end on a handful of images; what they promise is on record."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from picojoule.data import load_images

ROOT = Path(__file__).parents[2]
NAMES = {"train": "train", "test": "t10k"}


@pytest.fixture
def few_images(tmp_path: Path) -> Path:
    """A folder of 500 training and 100 test images in the layout of MNIST."""
    data = load_images()
    for split, prefix in NAMES.items():
        n = 500 if split == "train" else 100
        for kind, values in zip(("images-idx3", "labels-idx1"), getattr(data, split), strict=True):
            few = values[:n].numpy()
            header = bytes([0, 0, 8, few.ndim]) + np.array(few.shape, ">u4").tobytes()
            (tmp_path / f"{prefix}-{kind}-ubyte").write_bytes(header + few.tobytes())
    return tmp_path


def test_an_ann_learns_to_spend_less(few_images: Path) -> None:
    example = runpy.run_path(str(ROOT / "examples/ann_with_synops_loss.py"))
    example["main"].__globals__["batch_size"] = 100
    figures = example["main"](few_images, epochs=2, orders=1)
    untrained = figures["untrained_first_image"]
    assert sum(untrained["by_layer"].values()) == pytest.approx(untrained["total"], rel=1e-6)
    first, last = figures["runs"][0]["loss_first_and_last_batch"]["synops"]
    assert last < first / 2


def test_a_cnn_converts(few_images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("nir")
    example = runpy.run_path(str(ROOT / "examples/convert_a_cnn.py"))
    example["main"].__globals__["num_timesteps"] = 20
    figures = example["main"](few_images, epochs=8)
    stages = {stage["name"]: stage["accuracy"] for stage in figures["stages"]}
    cnn, normalised, *spiking = stages.values()
    assert cnn == pytest.approx(normalised, abs=0.011)  # one image of 100 may lie on the border
    assert cnn > 0.5
    assert all(accuracy > cnn - 0.15 for accuracy in spiking)
    assert "8-bit weights" in capsys.readouterr().out


def test_the_recorded_runs_on_mnist_keep_what_is_promised() -> None:
    results = ROOT / "benchmarks/results"
    ann = json.loads((results / "ann_with_synops_loss.json").read_text())
    assert f"{ann['untrained_first_image']['total']:.5e}" == "1.06018e+08"  # sinabs' tutorial
    for run in ann["runs"]:
        assert run["synops_per_image_last_batch"] == pytest.approx(3.9e7, rel=0.01)
        assert run["accuracy"] > 0.92
    stages = json.loads((results / "convert_a_cnn.json").read_text())["stages"]
    cnn, normalised, snn, whole, *_ = [stage["accuracy"] for stage in stages]
    assert normalised == pytest.approx(cnn, abs=2e-4)
    assert snn >= cnn - 0.01
    assert whole >= snn - 0.01
    assert stages[-1]["accuracy"] == whole  # through NIR
