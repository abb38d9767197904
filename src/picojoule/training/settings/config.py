"""A training run: everything that decides what it does, and so what its numbers are.

How files and flags state it is in `stated.py`, what a setting may be in `ranges.py`.
"""

# More than 250 lines: the settings of a run stand one below the other, each with what it means.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from picojoule.budget import Budget
from picojoule.budget.fewer_connections import Synapses
from picojoule.energy import profile as find_profile
from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.training.answers.readout import Readout
from picojoule.training.optimization.optimizers import BEST, OptimizerName
from picojoule.training.optimization.schedule import Schedule
from picojoule.training.settings.bounds import BOUNDS, LIMITS, Bound, Per
from picojoule.training.settings.ranges import check_ranges
from picojoule.training.settings.saved import ADDED, SPEED_ONLY, with_rate

TimeStepsPerStage = Literal["same", "random"]
Precision = Literal["32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"]
_PATHS = ("model", "data", "task", "start_from", "teacher")


@dataclass(frozen=True)
class TrainConfig:
    """One training run. The same configuration gives the same numbers on the same machine.

    A limit or a floor is one number, or one for each layer or group by name. Without any of them the
    network is trained on its task alone.

    Args:
        model: "lenet", "recurrent", or `module:factory` or `file.py:factory`.
        data: None for the bundled images, a folder, or `module:factory` or `file.py:factory`.
        epochs: passes over the training samples.
        batch_size: samples in a training step, over all processes and micro-batches.
        num_timesteps: frames of a sample, where the data leave it open.
        pixel_rate: spikes per time step of a white pixel, where images become spikes; at most 1.
        optimizer: "adam", "adamw", "sgd", or "muon", which is Muon for matrices and kernels of convolutions and
            Adam for the rest. Omitted: Muon, where PyTorch has it (from 2.9 on), else Adam.
        learning_rate: at the start; None for the optimizer's own: 2e-3, of sgd 0.1, of muon 0.02, and less in a
            run of more than 720 steps: 14.4 / steps. Adam's beside Muon is a tenth of Muon's.
        schedule: the learning rate falls to zero along a "cosine", is on "hold" for 70 % of the steps and then
            falls linearly to zero, or is "constant".
        task: what to learn, `module:function` or `file.py:function` that gives a
            :class:`picojoule.training.Task`; None to tell classes apart.
        readout: what the answer to a sample is: the "count" of the last layer's spikes, or the sum of its outputs;
            or the "potential", those spikes and what is left in the neurons' potential, in thresholds; "auto" is the
            potential where the network ends in neurons of :mod:`picojoule.layers`.
        teacher: a checkpoint of the same model, such as that of a run without a budget, whose answers are half of
            what is learned.
        temperature: that both answers are divided by there.
        loss_each_step: the loss is the mean of those of the answers after each time step, which are better then if the
            network is stopped early. A teacher is asked for the last of them.
        time_steps_per_stage: in a training step each stage of the network has the "same" time steps, or a "random" number
            of its own, from 1 to twice the usual one, so that what is learned does not rest on which spikes share a
            step: for event-driven, asynchronous execution. Measurements have the usual steps.
        seed: of the weights, the order of the samples, the spike trains and the split.
        synops_per_timestep: SynOps.
        synops_per_sample: the same over a sample's time steps.
        energy_j: joules per sample; needs `profile`.
        profile: name of an energy profile.
        per: what one number limits: each "layer", each layer whose SynOps training can change ("trainable"), each
            "group", or the "model".
        groups: layers that share a limit, by a name of your own.
        synapses: what becomes of the connections under a limit: "prune" single weights, "fixed" at random, "thin" out
            whole channels, or "keep" them. None for "prune", and for "keep" on a chip that spends on zero weights.
        trim: after training, scale weights until what is spent is just inside each limit.
        margin: share of each bound that training keeps free, so that data it has not seen keep it.
        within: share of a limit that may be left over; None: any.
        unreachable: what may stay violated, by the constraint's name, or its layer's or group's.
        min_rate: spikes per neuron and time step, mean of a spiking layer.
        max_rate: the same, as a ceiling.
        exit_synops_per_sample: after training, stop for each sample when the network is sure of its answer by `readout`,
            so that SynOps per sample are this on average; None runs all time steps.
        start_from: a checkpoint or a file of weights that the run starts from.
        validation_share: share of the training samples kept aside to choose the best epoch under
            the budget, 0 <= share < 1.
        precision: Lightning Fabric's.
        accumulate: micro-batches that a training step is cut into, to save memory. A budget measures each
            by itself, and so somewhat more noisily than the whole batch.
        devices: processes, each with one device.
        workers: processes that load data, for each of those.
        check_finite: stop at the first NaN or infinite input of a layer and name it.

    Raises:
        ConfigError: a setting is out of its range, or the profile has no joules; a ValueError.

    Example:
        >>> config = TrainConfig(synops_per_timestep=6e4, min_rate=0.01)
        >>> config.has_budget, config.without_budget().has_budget
        (True, False)
    """

    model: str = "lenet"
    data: str | None = None
    epochs: int = 6
    batch_size: int = 50
    num_timesteps: int = 5
    pixel_rate: float = 1.0
    optimizer: OptimizerName = BEST
    learning_rate: float | None = None
    schedule: Schedule = "cosine"
    task: str | None = None
    readout: Readout = "auto"
    teacher: str | None = None
    temperature: float = 2.0
    loss_each_step: bool = False
    time_steps_per_stage: TimeStepsPerStage = "same"
    seed: int = 1
    synops_per_timestep: Bound | None = None
    synops_per_sample: Bound | None = None
    energy_j: Bound | None = None
    profile: str | None = None
    per: Per = "layer"
    groups: Mapping[str, Sequence[str]] | None = None
    synapses: Synapses | None = None
    trim: bool = True
    margin: float = 0.01
    within: float | None = None
    unreachable: Sequence[str] | None = None
    min_rate: Bound | None = None
    max_rate: Bound | None = None
    exit_synops_per_sample: float | None = None
    start_from: str | None = None
    validation_share: float = 0.0
    precision: Precision = "32-true"
    accumulate: int = 1
    devices: int = 1
    workers: int = 0
    check_finite: bool = True

    def __post_init__(self) -> None:
        for name in _PATHS:
            if isinstance(getattr(self, name), Path):
                object.__setattr__(self, name, str(getattr(self, name)))
        check_ranges(vars(self), setting_choices())

    @property
    def has_limit(self) -> bool:
        """Whether SynOps or joules are limited."""
        return any(getattr(self, name) is not None for name in LIMITS)

    @property
    def has_budget(self) -> bool:
        """Whether anything is limited, or has a floor."""
        return any(getattr(self, name) is not None for name in BOUNDS)

    def without_budget(self) -> TrainConfig:
        """The same run on the task alone, to the end of each sample."""
        nothing: dict[str, Any] = dict.fromkeys((*BOUNDS, "exit_synops_per_sample"))
        return replace(self, **nothing)

    @property
    def connections(self) -> Synapses:
        """What becomes of the connections: as stated, or what pays on the chip."""
        if self.synapses is not None:
            return self.synapses
        if not self.has_limit:
            return "keep"
        chip = None if self.profile is None else find_profile(self.profile)
        return "keep" if chip is not None and chip.skips_zero_weights is False else "prune"

    @property
    def weights(self) -> Literal["all", "nonzero"]:
        """Which weights count as synapses: all of them where none is taken away."""
        return "all" if self.connections == "keep" else "nonzero"

    def budget(
        self, monitor: CountingMonitor, trainable: Sequence[str], steps: int
    ) -> Budget | None:
        """The budget that was asked for, on what the monitor sees; None without any.

        Args:
            monitor: on the model.
            trainable: the counted layers whose SynOps training can change.
            steps: of training in all.
        """
        if not self.bounds_any(trainable):
            return None
        limits: dict[str, Any] = {name: self._limit(name, trainable) for name in LIMITS}
        return Budget(
            monitor,
            **limits,
            profile=self.profile,
            per="layer" if self.per == "trainable" else self.per,
            groups=self.groups,
            unreachable=self.unreachable or (),
            within=self.within,
            min_rate=self.min_rate,
            max_rate=self.max_rate,
            margin=self.margin,
            steps=steps,
            synapses=self.connections,
        )

    def bounds_any(self, trainable: Sequence[str]) -> bool:
        """Whether a limit or a rate is on anything, where training can change the SynOps of these layers."""
        limits = [self._limit(name, trainable) for name in LIMITS]
        return any(bound is not None for bound in (*limits, self.min_rate, self.max_rate))

    def _limit(self, name: str, trainable: Sequence[str]) -> Bound | None:
        bound: Bound | None = getattr(self, name)
        if self.per != "trainable" or bound is None or isinstance(bound, Mapping):
            return bound
        return dict.fromkeys(trainable, bound) or None

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON and YAML."""
        return asdict(self)

    def differences(self, saved: Mapping[str, Any]) -> list[str]:
        """The settings in which a saved run leads to other numbers, as text."""
        # files have lists where Python may have tuples
        as_saved = json.loads(json.dumps(self.to_dict()))
        here, there = with_rate(as_saved), with_rate({**ADDED, **saved})
        return [
            f"{field.name} is {here[field.name]!r} here and {there.get(field.name)!r} there"
            for field in fields(self)
            if field.name not in SPEED_ONLY and here[field.name] != there.get(field.name)
        ]


@cache
def setting_types() -> dict[str, Any]:
    """The type of each setting, by its name."""
    return get_type_hints(TrainConfig)


@cache
def setting_choices() -> dict[str, tuple[str | None, ...]]:
    """What a setting may be, of those that are one of some words, by its name.

    Example:
        >>> setting_choices()["schedule"]
        ('cosine', 'hold', 'constant')
    """
    found = {name: _words(kind) for name, kind in setting_types().items()}
    return {name: words for name, words in found.items() if any(words)}


def _words(kind: Any) -> tuple[str | None, ...]:
    if kind is type(None):
        return (None,)
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(word for part in get_args(kind) for word in _words(part))
