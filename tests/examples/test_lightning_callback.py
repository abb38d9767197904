"""The Lightning callback, on Lightning where it is installed, else on a stand-in that calls its documented hooks."""

import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

EXAMPLE = Path(__file__).parents[2] / "examples/lightning_callback.py"


class Callback:
    pass


class LightningModule(nn.Module):
    pass


class Trainer:
    """Calls `setup`, `on_train_batch_end` and `teardown` as Lightning does; steps every `accumulate` batches."""

    def __init__(
        self, max_epochs: int, callbacks: list[Any], accumulate_grad_batches: int = 1, **_: Any
    ) -> None:
        self.epochs, self.callbacks, self.every = max_epochs, callbacks, accumulate_grad_batches
        self.global_step = 0

    def fit(self, module: Any, batches: Any) -> None:
        for callback in self.callbacks:
            callback.setup(self, module, "fit")
        optimizer = module.configure_optimizers()
        for _ in range(self.epochs):
            for number, batch in enumerate(batches):
                (module.training_step(batch, number) / self.every).backward()
                if (number + 1) % self.every == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                    self.global_step += 1
                for callback in self.callbacks:
                    callback.on_train_batch_end(self, module, None, batch, number)
        for callback in self.callbacks:
            callback.teardown(self, module, "fit")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    stand_in = ModuleType("pytorch_lightning")
    for kind in (Callback, LightningModule, Trainer):
        setattr(stand_in, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", stand_in)
    spec = importlib.util.spec_from_file_location("lightning_callback", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def batches(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    frames = (torch.rand(count, 4, 2, 1, 28, 28, generator=generator) < 0.3).float()
    return [(each, torch.arange(4)) for each in frames]


def trained(example: ModuleType, limit: float, **options: Any) -> Any:
    torch.manual_seed(0)
    keep = example.KeepToABudget(synops_per_timestep={"4": limit})
    trainer = example.Trainer(max_epochs=4, callbacks=[keep], **options)
    trainer.fit(example.Classifier(4), batches(6))
    return keep


def test_the_callback_brings_the_spending_down(example: ModuleType) -> None:
    tight, loose = trained(example, 3e4), trained(example, 1e9)
    assert tight.steps == 24
    spent, unbound = (
        keep.budget.state_dict()["synops_per_timestep of 4"]["average"] for keep in (tight, loose)
    )
    assert spent < unbound
    assert loose.budget.met


def test_multipliers_move_once_a_step_however_many_batches_it_has(example: ModuleType) -> None:
    keep = trained(example, 3e4, accumulate_grad_batches=3)
    assert keep.steps == 8
    assert keep.budget.state_dict()["synops_per_timestep of 4"]["steps"] == 8


def test_the_budget_is_part_of_lightnings_checkpoint(example: ModuleType) -> None:
    keep = trained(example, 3e4)
    module, again = example.Classifier(4), example.KeepToABudget(synops_per_timestep={"4": 3e4})
    again.setup(None, module, "fit")
    again.load_state_dict(keep.state_dict())
    module.training_step(batches(1)[0], 0)
    state, saved = (x.budget.state_dict()["synops_per_timestep of 4"] for x in (again, keep))
    assert (again.steps, state["steps"]) == (24, 24)
    assert torch.equal(state["log"], saved["log"])


def test_it_runs_on_lightning_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's own
        pytest.importorskip("pytorch_lightning")
        spec = importlib.util.spec_from_file_location("lightning_callback", EXAMPLE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.chdir(tmp_path)
        budget = module.main(epochs=1, batches=3)
    assert budget.state_dict()["synops_per_timestep of 4"]["steps"] == 3
