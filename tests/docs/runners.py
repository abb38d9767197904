"""What runs the blocks of Python that want what this machine has not: other processes, other packages, minutes.

Each is given the block, a folder that is the working directory, and the module of `examples/lightning_callback.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import picojoule
import picojoule.layers as pl
from tests.cli.test_train_command import small_idx_folder
from tests.docs.blocks import ROOT, Block


def on_two_processes(block: Block, folder: Path, _: Any) -> None:
    """`DistributedDataParallel`, by gloo."""
    before = (
        "import torch, picojoule, picojoule.layers as pl\nfrom torch import nn\n"
        "from torch.nn.functional import cross_entropy\n"
        "from torch.nn.parallel import DistributedDataParallel\n"
        "torch.distributed.init_process_group('gloo')\n"
        "torch.manual_seed(torch.distributed.get_rank())\n"
        "steps, device = 3, 'cpu'\n"
        "loader = [((torch.rand(8, 5, 6) < 0.5).float(), torch.arange(8) % 4)] * steps\n"
        "def network():\n    return nn.Sequential(nn.Linear(6, 20), pl.IAF(), nn.Linear(20, 4))\n"
    )
    after = (
        # in one piece, as both processes write to one pipe
        "\nprint(f'spent {monitor.synops[\"2\"].item()}\\n', end='')\ntorch.distributed.destroy_process_group()\n"
    )
    (folder / "two.py").write_text(before + block.text + after)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "two.py"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(launch, cwd=folder, env=env, text=True, capture_output=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    told = re.findall(r"spent ([\d.]+)", ran.stdout)
    assert len(told) == 2
    assert len({*told}) == 1  # one count, of both processes


def in_lightning(block: Block, _: Path, module: ModuleType) -> None:
    """The callback of `examples/`, on Lightning or on what stands in for it in the example's test."""
    names = {
        "cross_entropy": cross_entropy,
        "KeepToABudget": module.KeepToABudget,
        "Trainer": partial(module.Trainer, max_epochs=1),
    }
    exec(block.text, names)

    class Net(module.LightningModule):  # type: ignore[name-defined]
        training_step = names["training_step"]

        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Sequential(
                nn.Linear(3, 4), pl.IAF(), nn.Flatten(), nn.Linear(20, 2), nn.Linear(2, 2)
            )

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            picojoule.reset_states(self.network)
            return self.network(frames)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    frames = [((torch.rand(4, 5, 3) < 0.5).float(), torch.arange(4) % 2)] * 3
    names["trainer"].fit(Net(), frames)


def in_accelerate(block: Block, *_: Any) -> None:
    """An Accelerator of which only what the page calls is there."""
    pieces = SimpleNamespace(prepare=lambda *each: each, backward=lambda loss: loss.backward())
    model = nn.Sequential(nn.Linear(6, 20), pl.IAF(), nn.Linear(20, 4))
    frames = [((torch.rand(8, 5, 6) < 0.5).float(), torch.arange(8) % 4)] * 4
    names = {
        "accelerator": pieces,
        "cross_entropy": cross_entropy,
        "epochs": 1,
        "loader": frames,
        "model": model,
        "optimizer": torch.optim.Adam(model.parameters()),
        "picojoule": picojoule,
    }
    before = model[0].weight.clone()
    exec(block.text, names)
    assert not torch.equal(model[0].weight, before)


def in_one_call(block: Block, folder: Path, _: Any) -> None:
    """A whole run, on images enough for two training steps."""
    from picojoule import training

    made = training.train
    small = {"data": str(small_idx_folder(folder / "images")), "epochs": 1, "batch_size": 12}

    def less(config: Any, *given: Any, **more: Any) -> Any:
        return made(replace(config, num_timesteps=2, **small), *given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", less)
        names: dict[str, Any] = {}
        exec(block.text, names)
    assert (folder / "runs/tenth/report.json").exists()
    assert names["run"].plain is not None


Runner = Callable[[Block, Path, Any], None]
LOOPS = "docs/howto/training_loops.md"
RUNNERS: dict[tuple[str, str], Runner] = {
    ("docs/howto/several_gpus.md", "model = network().to(device)"): on_two_processes,
    (LOOPS, "def training_step(self, batch, _):"): in_lightning,
    (LOOPS, "monitor = picojoule.Monitor(model).attach()"): in_accelerate,
    (
        "docs/tutorials/a_tenth_of_the_synops.md",
        "from picojoule.training import Quiet, TrainConfig, train",
    ): in_one_call,
}
