"""A run, read back from its folder: the network, its budget and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from picojoule.budget import Budget, EarlyExit
from picojoule.layers import StatefulLayer
from picojoule.report import Monitor
from picojoule.training.answers.answers import Answers
from picojoule.training.answers.readout import with_potential
from picojoule.training.files.checkpoint_files import Saved, read_checkpoint
from picojoule.training.files.json_file import read_json
from picojoule.training.files.run_folder import (
    BEST,
    CHECKPOINT,
    CONFIG,
    REPORT,
    TRAINED,
    saved_settings,
)
from picojoule.training.files.weights import load_weights
from picojoule.training.networks.models import build_model
from picojoule.training.record.history import check_is_of_a_run
from picojoule.training.reworded import reworded
from picojoule.training.settings.config import TrainConfig
from picojoule.training.settings.stated import resolved


@dataclass(frozen=True)
class LoadedRun:
    """A run of `picojoule train`.

    Attributes:
        config: its settings.
        model: the trained network, in evaluation mode: the one that the report measured; of a run that has not ended
            the best epoch under the budget if one was chosen, else the last one.
        answers: what the network answers to frames `b t *f`, by the run's readout: `b c`, states of zero each time.
        monitor: on the model; counts while it is attached, or inside `with`.
        budget: on the monitor, with its multipliers; None of a run without one. Of a trimmed network, or of a chosen epoch, it judges
            what the monitor has seen last, as training's averages are of other weights.
        report: the figures of `report.json`; None of a run that has not ended.
        early_exit: runs the network and stops for each sample when it is sure, as the report measured it; None of a run
            without `exit_synops_per_sample`, of one that could not keep it, and of one that has not ended.
    """

    config: TrainConfig
    model: nn.Module
    answers: Answers
    monitor: Monitor
    budget: Budget | None
    report: dict[str, Any] | None = field(repr=False)  # each training step stands in it
    early_exit: EarlyExit | None = None


def load(folder: str | Path, model: nn.Module | None = None) -> LoadedRun:
    """Load a run from its folder.

    Args:
        folder: of the run, `--out` of `picojoule train`; of a sweep, one of the runs in it.
        model: takes the weights; None makes the model by the name in the run's settings, whose code is run. A file
            is looked for from where you are.

    Raises:
        FileNotFoundError: there is no run in the folder, or it has no checkpoint yet.
        ValueError: a file of it is damaged, the weights are of another model, or the model cannot be made.
        ImportError: its module cannot be imported.

    Example:
        >>> import tempfile
        >>> import picojoule
        >>> from picojoule.training import Quiet, TrainConfig, train
        >>> folder = tempfile.mkdtemp()
        >>> config = TrainConfig(epochs=1, batch_size=2000, num_timesteps=1, synops_per_timestep=6e4)
        >>> _ = train(config, folder, Quiet(), compare=False)
        >>> run = picojoule.load(folder)
        >>> picojoule.set_batch_size(run.model, 2)
        >>> with run.monitor:
        ...     spikes = run.model(torch.ones(2, 1, 1, 28, 28))
        >>> spikes.shape, len(run.budget.violations()) > 0, run.report["config"]["epochs"]
        (torch.Size([2, 1, 10]), True, 1)
    """
    folder = Path(folder)
    _check_is_run(folder)
    config = resolved(*saved_settings(folder))
    saved = read_checkpoint(folder / CHECKPOINT)
    check_is_of_a_run(folder / CHECKPOINT, saved.progress)
    report = _report(folder / REPORT)  # damaged, it changes no model
    network = _built(config, saved) if model is None else model
    chosen = saved.progress.get("chosen_epoch") is not None
    done = (folder / TRAINED).exists()
    load_weights(network, folder / (TRAINED if done else BEST if chosen else CHECKPOINT))
    monitor = Monitor(network.eval(), weights=config.weights)
    steps = max(len(saved.progress["loss"]), 1)
    budget = config.budget(monitor, saved.progress["trainable"], steps)
    if budget is not None:
        budget.load_state_dict(saved.progress["budget"])
        if (done and config.has_limit and config.trim) or chosen:
            budget.judge_anew()  # its averages are of other weights
    readout = config.readout if config.task is None else None
    answers = Answers(network, network, readout)
    early = None if report is None else _early_exit(network, config, report, folder / REPORT)
    return LoadedRun(config, network, answers, monitor, budget, report, early)


def _check_is_run(folder: Path) -> None:
    if not (folder / CONFIG).exists():
        runs = sorted(str(each.parent.relative_to(folder)) for each in folder.glob(f"*/*/{CONFIG}"))
        hint = " picojoule train --out FOLDER makes one."
        if runs:
            hint = f" Name one of the runs in it: {', '.join(runs[:5])}."
        raise FileNotFoundError(f"{folder} holds no run: there is no {CONFIG}.{hint}")
    if not (folder / CHECKPOINT).exists():
        raise FileNotFoundError(
            f"the run in {folder} has no {CHECKPOINT} yet. Go on with it: picojoule train --out {folder} --resume"
        )


def _built(config: TrainConfig, saved: Saved) -> nn.Module:
    sample = saved.progress["sample"]
    try:
        with torch.random.fork_rng():
            return build_model(
                config.model, tuple(sample["shape"]), sample["num_classes"], config.batch_size
            )
    except (ValueError, ImportError) as error:
        raise reworded(
            error,
            f"{error} Or give the model that takes the weights: picojoule.load(folder, model=...).",
        ) from error


def _report(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    return read_json(path, "Without it the run loads all the same, with no figures.")


def _early_exit(
    model: nn.Module, config: TrainConfig, report: dict[str, Any], path: Path
) -> EarlyExit | None:
    told = report.get("early_exit")
    if not told:
        return None
    try:
        if told["tested"] is None:
            return None
        name = told["potential_of"]
        readout = None if name is None else with_potential(_neurons(model, name))
        return EarlyExit(
            model,
            told["sure"],
            told["threshold"],
            told["last_step"],
            readout=readout,
            weights=config.weights,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"early_exit in {path} does not fit the model: {error}.") from error


def _neurons(model: nn.Module, name: str) -> StatefulLayer:
    layer = model.get_submodule(name)
    if not isinstance(layer, StatefulLayer):
        raise TypeError(f"layer {name!r} is a {type(layer).__name__}, expected neurons")
    return layer
