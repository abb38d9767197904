"""Everything that decides what a training run does, and so what its numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from picojoule.budget import Budget
from picojoule.energy import energy_j
from picojoule.synops.monitor import CountingMonitor
from picojoule.training.config_error import ConfigError

Scope = Literal["layer", "group", "model", "sample"]
Precision = Literal["32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"]
Bound = float | Mapping[str, float]

_LIMITS = ("synops_per_timestep", "synops_per_sample", "energy_j")
_ANY = ("devices", "workers")  # of these the numbers do not depend
_BOUNDS = (*_LIMITS, "min_rate", "highest_rate")


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
        max_rate: spikes per time step of a white pixel, where images become spikes.
        learning_rate: Adam's, at the start; it falls to zero along a half cosine.
        loss_each_step: the loss is the mean of those of the answers after each time step, which are better then if the
            network is stopped early.
        seed: of the weights, the order of the samples, the spike trains and the split.
        synops_per_timestep: SynOps.
        synops_per_sample: the same over a sample's time steps.
        energy_j: joules per sample; needs `profile`.
        profile: name of an energy profile.
        per: what one number limits: each "layer", each "group", or the "model".
        groups: layers that share a limit, by a name of your own.
        margin: share of each bound that training keeps free, so that data it has not seen keep it.
        min_rate: spikes per neuron and time step, mean of a spiking layer.
        highest_rate: the same, as a ceiling.
        exit_synops_per_sample: after training, stop for each sample when the network is sure, so that SynOps per sample
            are this on average; None runs all time steps.
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
    max_rate: float = 1.0
    learning_rate: float = 2e-3
    loss_each_step: bool = False
    seed: int = 1
    synops_per_timestep: Bound | None = None
    synops_per_sample: Bound | None = None
    energy_j: Bound | None = None
    profile: str | None = None
    per: Scope = "layer"
    groups: Mapping[str, Sequence[str]] | None = None
    margin: float = 0.01
    min_rate: Bound | None = None
    highest_rate: Bound | None = None
    exit_synops_per_sample: float | None = None
    start_from: str | None = None
    validation_share: float = 0.0
    precision: Precision = "32-true"
    accumulate: int = 1
    devices: int = 1
    workers: int = 0
    check_finite: bool = True

    def __post_init__(self) -> None:
        self._take_paths_as_text()
        for name in ("epochs", "batch_size", "num_timesteps", "accumulate", "devices"):
            self._expect(name, getattr(self, name) >= 1, "a whole number >= 1")
        for name in ("seed", "workers"):
            self._expect(name, getattr(self, name) >= 0, "a whole number >= 0")
        self._expect("learning_rate", self.learning_rate > 0, "a number > 0")
        limit = self.exit_synops_per_sample
        good = limit is None or 0 < limit < float("inf")
        self._expect("exit_synops_per_sample", good, "a number > 0")
        self._expect("max_rate", 0 < self.max_rate <= 1, "a number in (0, 1]")
        for name in ("validation_share", "margin"):
            self._expect(name, 0 <= getattr(self, name) < 1, "a share in [0, 1)")
        for name, choices in (("per", get_args(Scope)), ("precision", get_args(Precision))):
            self._expect(name, getattr(self, name) in choices, f"one of {', '.join(choices)}")
        for name in _BOUNDS:
            bound = getattr(self, name)
            numbers = bound.values() if isinstance(bound, Mapping) else (bound,)
            good = all(number is None or 0 < number < float("inf") for number in numbers)
            self._expect(name, good, "a number > 0")
        if self.profile is not None:
            try:
                energy_j(
                    self.profile, synops=0
                )  # before anything runs: it is there, and has joules
            except ValueError as error:
                raise ConfigError(str(error), "profile") from error
        if self.energy_j is not None:
            self._expect("profile", self.profile is not None, "whose joules energy_j is in")

    def _take_paths_as_text(self) -> None:
        for name in ("model", "data", "start_from"):
            if isinstance(getattr(self, name), Path):
                object.__setattr__(self, name, str(getattr(self, name)))

    def _expect(self, name: str, good: bool, expected: str) -> None:
        if not good:
            came = getattr(self, name)
            raise ConfigError(f"training: {name} is {came}, expected {expected}.", name)

    @property
    def has_limit(self) -> bool:
        """Whether SynOps or joules are limited."""
        return any(getattr(self, name) is not None for name in _LIMITS)

    @property
    def has_budget(self) -> bool:
        """Whether anything is limited, or has a floor."""
        return any(getattr(self, name) is not None for name in _BOUNDS)

    def without_budget(self) -> TrainConfig:
        """The same run on the task alone, to the end of each sample."""
        nothing: dict[str, Any] = dict.fromkeys((*_BOUNDS, "exit_synops_per_sample"))
        return replace(self, **nothing)

    def budget(self, monitor: CountingMonitor) -> Budget | None:
        """The budget that was asked for, on what the monitor sees; None without any."""
        if not self.has_budget:
            return None
        return Budget(
            monitor,
            synops_per_timestep=self.synops_per_timestep,
            synops_per_sample=self.synops_per_sample,
            energy_j=self.energy_j,
            profile=self.profile,
            per=self.per,
            groups=self.groups,
            min_rate=self.min_rate,
            max_rate=self.highest_rate,
            margin=self.margin,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON and YAML."""
        return asdict(self)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """The settings in which a saved configuration leads to other numbers, as text."""
        mine = self.to_dict()
        return [
            f"{field.name} is {mine[field.name]!r} here and {other.get(field.name)!r} there"
            for field in fields(self)
            if field.name not in _ANY and mine[field.name] != other.get(field.name)
        ]
