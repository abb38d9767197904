"""The states of a stage's neurons between calls, `b n` in the engine's order."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from picojoule.events.plan import StagePlan
from picojoule.events.signals import Signal
from picojoule.layers import StatefulLayer

# of a batch, by their numbers
Samples = np.ndarray[Any, np.dtype[np.int64]]
_MOST_UNGATHERED = 2**16  # steps of samples in which spikes are counted in float32
NAMES = "potential", "synaptic", "trace", "feedback"
_SCRATCH = "current", "output"


class StageStates:
    """States, and what the kernels work in beside them.

    Args:
        signal: what the stage gives out.
        plan: its neurons and synapses.
        batch: samples.
        scale: what the kernels compute in is so many times the layer's units.
    """

    def __init__(self, signal: Signal, plan: StagePlan, batch: int, scale: float = 1.0) -> None:
        self.signal, self.plan, self._scale = signal, plan, scale
        used = {*plan.neurons.states.values()} | (
            set() if plan.neurons.looks_at_reached else set(_SCRATCH)
        )
        self._arrays = {
            name: torch.zeros(batch, signal.neurons if name in used else 0, dtype=torch.float32)
            for name in (*NAMES, *_SCRATCH)
        }
        self._arrays["potential"] = self._arrays["potential"].to(plan.neurons.dtype)
        self.fired = torch.zeros(batch, signal.neurons, dtype=torch.float32)
        self.fired_densely = torch.zeros(signal.shape, dtype=torch.float32)
        self._fired_before = torch.zeros(signal.shape, dtype=torch.float64)
        self._touched = torch.zeros(batch, plan.num_rows + 8, dtype=torch.uint8)
        self._reached = torch.zeros(batch, 2, dtype=torch.int32)
        row = signal.neurons // max(plan.num_rows, 1)
        self._all_reached = torch.tensor([0, row], dtype=torch.int32).expand(batch, 2).contiguous()
        self._latest = torch.zeros(batch, plan.num_rows, dtype=torch.int32)
        # states of the whole batch as a layer left them, `b *n`, newer than the arrays
        self._held: dict[str, Tensor] = {}
        self._at_rest = False
        self.reset()

    def reset(self) -> None:
        """All at rest."""
        self._held = {}
        if not self._at_rest:
            for array in self._arrays.values():
                if array.numel():
                    array.zero_()
            self.look_at_all()
            self._at_rest = True

    def hand_to_kernels(self) -> None:
        """What layers left goes where kernels read and write; before they run, and before the arrays are copied."""
        held, self._held, self._at_rest = self._held, {}, False
        for name, value in held.items():
            self.put(name, value)
        if held:
            self.look_at_all()

    @property
    def fired_by_neuron(self) -> Tensor:
        """What each neuron gave out since the count began, of all samples, `*n`."""
        own = self.fired.sum(0, dtype=torch.float64)
        return self._fired_before + self.fired_densely + self.signal.to_torch(own[None])[0]

    def gather(self) -> None:
        """Move what was counted in float32, which counts to 2^24, to where there is more room."""
        self._fired_before = self.fired_by_neuron
        self.fired.zero_()
        self.fired_densely.zero_()

    def take_counts(self, other: StageStates) -> None:
        """What was given out in other states goes on to be counted here."""
        self._fired_before += other.fired_by_neuron

    def start_count(self) -> None:
        """What was given out so far is forgotten."""
        for counts in self._counts.values():
            counts.zero_()

    def look_at_all(self) -> None:
        """The next step looks at all neurons, touched or not: their potentials came from elsewhere."""
        if self.plan.neurons.looks_at_reached:
            self._touched.fill_(1)
            self._reached.copy_(self._all_reached)

    def copied(self) -> dict[str, Tensor]:
        """All there is, to be put back."""
        self.hand_to_kernels()
        return {name: array.clone() for name, array in self._everything().items()}

    def changed_by_steps(self) -> list[Tensor]:
        """Copies of the states and of the counts of spikes; not of what the kernels note for themselves."""
        self.hand_to_kernels()
        counts = self._counts.values() if self.signal.is_spikes else ()
        return [array.clone() for array in (*(self._arrays[name] for name in NAMES), *counts)]

    def put_back(self, kept: dict[str, Tensor]) -> None:
        """As it was."""
        self.hand_to_kernels()
        for name, array in self._everything().items():
            array.copy_(kept[name])

    def get(self, name: str) -> Tensor:
        """A state of the layer by its name there, `b *n`."""
        if name in self._held:
            return self._held[name]
        array = self._arrays[self.plan.neurons.states[name]]
        if self._at_rest:
            return torch.zeros(len(array), *self.signal.shape, dtype=torch.float32)
        values = self.signal.to_torch(array.float())
        return values if self._scale == 1 else values / self._scale

    def put(self, name: str, value: Tensor) -> None:
        """Set a state, `b *n`."""
        self._at_rest = False
        array = self._arrays[self.plan.neurons.states[name]]
        self.signal.to_torch(array).copy_(value if self._scale == 1 else value * self._scale)

    def give(self, layer: StatefulLayer, which: Samples) -> None:
        """Set the states of a layer: those of some samples."""
        if len(which) != len(self.fired):
            self.hand_to_kernels()
        for name in self.plan.neurons.states:
            own = self.get(name)
            setattr(layer, name, own if len(which) == len(own) else own[which])

    def take(self, layer: StatefulLayer, which: Samples) -> None:
        """The states of some samples are a layer's."""
        if len(which) == len(self.fired):
            self._held = {name: getattr(layer, name) for name in self.plan.neurons.states}
            return
        for name, own in self.plan.neurons.states.items():
            self._arrays[own][which] = self.signal.to_engine(getattr(layer, name))
        self.look_at_all()

    def addresses(self) -> dict[str, int]:
        """For the tables; who keeps them calls `hand_to_kernels` before each run of a kernel."""
        self.hand_to_kernels()
        return {
            name: array.data_ptr()
            for name, array in self._everything().items()
            if name not in ("fired_densely", "fired_before")
        }

    @property
    def _counts(self) -> dict[str, Tensor]:
        return {
            "fired": self.fired,
            "fired_densely": self.fired_densely,
            "fired_before": self._fired_before,
        }

    def _everything(self) -> dict[str, Tensor]:
        looked_at = {"touched": self._touched, "reached": self._reached, "latest": self._latest}
        return {
            **self._arrays,
            **self._counts,
            **looked_at,
        }


class SpikeCounter:
    """Moves what neurons fired out of float32 now and then, which counts to 2^24."""

    def __init__(self) -> None:
        self._ungathered = 0

    def after(self, steps: int, states: list[StageStates]) -> None:
        """After so many steps more, those of each sample."""
        self._ungathered += steps
        if self._ungathered > _MOST_UNGATHERED:
            self._ungathered = 0
            for own in states:
                own.gather()


def carry_counts(old: list[StageStates], new: list[StageStates]) -> None:
    """What neurons fired goes on to be counted in the states of another batch."""
    for before, after in zip(old, new, strict=True):
        after.take_counts(before)
