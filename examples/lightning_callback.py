"""A budget in a Lightning training, as a callback.

    pip install lightning
    python examples/lightning_callback.py

`KeepToABudget` goes into `Trainer(callbacks=[...])`; the module's `training_step` stays as it is, but for the penalty that
it adds to its loss: `loss + self.budget.penalty()`. After training, `budget.violations()` says what is not kept.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import picojoule
from picojoule.data import load_data
from picojoule.training import lenet

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError:
    from pytorch_lightning import Callback, LightningModule, Trainer

LIMIT = 6e4  # SynOps per time step and layer
FLOOR = 0.01  # spikes per time step, mean of a layer


class KeepToABudget(Callback):
    """Attaches a Monitor and a Budget to `module.network`, and moves the multipliers.

    The module finds the budget as `self.budget`. Lightning's checkpoints hold its state, so that a training that
    is resumed goes on as it would have.

    Args:
        **limits: of :class:`picojoule.Budget`.
    """

    def __init__(self, **limits: Any) -> None:
        self.limits = limits
        self.steps = 0

    def setup(self, _: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        self.monitor = picojoule.Monitor(pl_module.network).attach()
        self.budget = pl_module.budget = picojoule.Budget(self.monitor, **self.limits)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        *_: Any,
        **__: Any,
    ) -> None:
        if trainer.global_step > self.steps:  # not after each of the batches that a step adds up
            self.budget.step()
            self.steps = trainer.global_step

    def teardown(self, *_: Any, **__: Any) -> None:
        self.monitor.detach()

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "budget": self.budget.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps = state_dict["steps"]
        self.budget.load_state_dict(state_dict["budget"])


class Classifier(LightningModule):
    """A spiking network that tells classes apart."""

    budget: picojoule.Budget

    def __init__(self, batch_size: int, learning_rate: float = 2e-3) -> None:
        super().__init__()
        self.network: nn.Module = lenet(batch_size)
        self.learning_rate = learning_rate

    def forward(self, frames: Tensor) -> Tensor:
        picojoule.set_batch_size(self.network, len(frames))
        picojoule.reset_states(self.network)
        return self.network(frames).sum(1)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        frames, labels = batch
        return F.cross_entropy(self(frames), labels) + self.budget.penalty()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def main(epochs: int, batches: int | None, batch_size: int = 50) -> picojoule.Budget:
    """Train, and print what is not kept."""
    loader = DataLoader(load_data(seed=1).train, batch_size, shuffle=True)
    given = ["1"]  # the layer that sees the images: training cannot change what it spends
    keep = KeepToABudget(synops_per_timestep=LIMIT, per="layer", min_rate=FLOOR, unreachable=given)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = Trainer(
        max_epochs=epochs, limit_train_batches=batches, callbacks=[keep], accelerator="cpu", **quiet
    )
    trainer.fit(Classifier(batch_size), loader)
    print("kept:", keep.budget.met)
    for violation in keep.budget.violations():
        print(violation)
    return keep.budget


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batches", type=int, help="of an epoch; all if omitted")
    arguments = parser.parse_args()
    main(arguments.epochs, arguments.batches)
