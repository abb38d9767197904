"""Everything that decides what a training run does, and so what its numbers are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class TrainConfig:
    """One training run. The same configuration gives the same numbers on the same machine.

    Attributes:
        data: folder with the four IDX files; None for the bundled subset of Fashion-MNIST.
        epochs: passes over the training images.
        batch_size: images in a training step.
        num_timesteps: length of the spike trains that stand for an image.
        max_rate: spikes per time step of a white pixel.
        learning_rate: Adam's, at the start; it falls to zero along a half cosine.
        seed: of the weights, the order of the images and the spike trains.
        synops_target: SynOps per time step that a layer may spend.
        synops_weight: weight of the excess over the target; 0 leaves the term out.
        synops_margin: share of the target that training keeps free, so that images it has not seen
            stay within the target too.
        min_rate: spikes per time step that each neuron should fire at least.
        rate_weight: weight of the shortfall; 0 leaves the term out.
        check_finite: stop at the first NaN or infinite input of a layer and name it.
    """

    data: str | None = None
    epochs: int = 6
    batch_size: int = 50
    num_timesteps: int = 5
    max_rate: float = 1.0
    learning_rate: float = 2e-3
    seed: int = 1
    synops_target: float = 6e4
    synops_weight: float = 0.3
    synops_margin: float = 0.15
    min_rate: float = 0.01
    rate_weight: float = 0.01
    check_finite: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "num_timesteps"):
            self._expect(name, getattr(self, name) >= 1, "a whole number >= 1")
        for name in ("learning_rate", "synops_target", "min_rate"):
            self._expect(name, getattr(self, name) > 0, "a number > 0")
        for name in ("synops_weight", "rate_weight", "seed"):
            self._expect(name, getattr(self, name) >= 0, "a number >= 0")
        self._expect("max_rate", 0 < self.max_rate <= 1, "a number in (0, 1]")
        self._expect("synops_margin", 0 <= self.synops_margin < 1, "a number in [0, 1)")

    def _expect(self, name: str, good: bool, expected: str) -> None:
        if not good:
            raise ValueError(f"training: {name} is {getattr(self, name)}, expected {expected}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return asdict(self)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """The settings in which a saved configuration differs, as text."""
        mine = self.to_dict()
        return [
            f"{field.name} is {mine[field.name]!r} here and {other.get(field.name)!r} there"
            for field in fields(self)
            if mine[field.name] != other.get(field.name)
        ]
