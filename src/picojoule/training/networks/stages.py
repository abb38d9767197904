"""The stages of a network, each with its own number of time steps in a forward pass of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers import (
    HookHandles,
    SqueezeMixin,
    StatefulLayer,
    UnflattenTime,
    reset_states,
)
from picojoule.layers.retime import Retime

INPUT = ""  # where the first stage begins: the model's own name
_FARTHEST = 8  # layers of neurons in a stage, at most
_MOST = 2  # times the usual time steps
_NO_NEURONS = "it has no layer of spiking neurons from picojoule.layers that gets all steps at once"


@dataclass(frozen=True)
class Stage:
    """A part of a network that may have time steps of its own.

    Args:
        start: the layer of neurons whose spikes it gets; "" for the model's input.
        end: the layer of neurons whose spikes it gives.
    """

    start: str
    end: str


class Stages:
    """The stages of a network, and passes in which each has its own number of time steps.

    A stage begins at the input or behind a layer of neurons, and ends with the next layer of neurons behind which
    the time steps can be changed back. A branch that goes round a layer joins what is there, so a stage holds all of
    it. What is in no stage keeps the usual steps, such as linear layers at the end.

    Args:
        model: the network.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model, self.found = model, tuple[Stage, ...]()

    def find(self, run: Callable[[Tensor], Any], frames: Tensor) -> None:
        """Try which parts of the network run with one time step more than the others.

        Args:
            run: the network from states of zero.
            frames: a batch, `b t *f`.

        Raises:
            ValueError: there is one time step only.
            NotImplementedError: no part does; the message has the reason.
        """
        if frames.shape[1] < 2:
            raise ValueError(
                "training: time_steps_per_stage is random, but the samples have 1 time step, expected 2 at least. "
                "Choose --num-timesteps, or time_steps_per_stage same."
            )
        frames = frames[:2]
        names = self._neurons(run, frames)
        found, failures = list[Stage](), list[str]()
        starts = [INPUT, *names]
        at = 0
        while at < len(names):
            stage = self._first_that_runs(
                starts[at], names[at : at + _FARTHEST], run, frames, failures
            )
            if stage is None:
                at += 1
            else:
                found.append(stage)
                at = starts.index(stage.end)
        if not found:
            why = failures[0] if failures else _NO_NEURONS
            raise NotImplementedError(
                "training: time_steps_per_stage is random, but no part of the model can run with another number of time "
                f"steps than the rest: {why}. Take the number of steps from the input, not from a constant, or choose "
                "time_steps_per_stage same."
            )
        reset_states(self._model)
        self.found = tuple(found)

    def draw(self, num_timesteps: int, random: torch.Generator) -> list[int]:
        """Time steps for each stage, each number from 1 to twice the usual one as likely as the others."""
        most = _MOST * num_timesteps
        return (torch.randint(most, (len(self.found),), generator=random) + 1).tolist()

    @contextmanager
    def running(
        self,
        frames: Tensor,
        steps: Sequence[int],
        random: torch.Generator | None = None,
    ) -> Iterator[None]:
        """Forward passes meanwhile have these time steps, by stage; the output has the usual ones.

        Args:
            frames: the batch, `b t *f`.
            steps: for each stage.
            random: says where in time a spike goes; on the device of the frames.
        """
        given = zip(self.found, steps, strict=True)
        with _running(self._model, dict(given), frames, random):
            yield

    def _neurons(self, run: Callable[[Tensor], Any], frames: Tensor) -> list[str]:
        """The layers of spiking neurons in the order in which they run, once each, with all time steps."""
        outer = [n for n, m in self._model.named_modules() if isinstance(m, StatefulLayer)]
        called = list[tuple[str, int]]()

        def note(name: str) -> Any:
            return lambda layer, _, output: called.append(
                (name, _split(layer, output, len(frames)).shape[1])
            )

        with HookHandles() as handles:
            for name in outer:
                layer = self._model.get_submodule(name)
                inside = any(name.startswith(f"{each}.") for each in outer)
                if isinstance(layer, StatefulLayer) and layer.does_spike and not inside:
                    handles.add(layer.register_forward_hook(note(name)))
            with torch.no_grad():
                run(frames)
        names = [name for name, _ in called]
        return [n for n, steps in called if steps == frames.shape[1] and names.count(n) == 1]

    def _first_that_runs(
        self,
        start: str,
        ends: Sequence[str],
        run: Callable[[Tensor], Any],
        frames: Tensor,
        failures: list[str],
    ) -> Stage | None:
        for end in ends:
            stage = Stage(start, end)
            try:
                with (
                    _running(self._model, {stage: frames.shape[1] + 1}, frames, None),
                    torch.no_grad(),
                ):
                    run(frames)
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                first = str(error).splitlines()[0] if str(error) else ""
                failures.append(f"{type(error).__name__}: {first}".rstrip(". "))
            else:
                return stage
        return None


@contextmanager
def _running(
    model: nn.Module,
    steps: dict[Stage, int],
    frames: Tensor,
    random: torch.Generator | None,
) -> Iterator[None]:
    samples, usual = frames.shape[:2]
    at = {stage.end: usual for stage in steps} | {stage.start: n for stage, n in steps.items()}
    fixed = [
        (layer, layer.num_timesteps)
        for layer in model.modules()
        if isinstance(layer, SqueezeMixin | UnflattenTime) and layer.batch_size == -1
    ]
    with HookHandles() as handles:
        for name, num_timesteps in at.items():
            change = _Change(samples, num_timesteps, random)
            if name == INPUT:
                handles.add(model.register_forward_pre_hook(change.of_input))
            else:
                handles.add(model.get_submodule(name).register_forward_hook(change.of_output))
        for layer, _ in fixed:
            layer.batch_size, layer.num_timesteps = samples, -1
        try:
            yield
        finally:
            for layer, num_timesteps in fixed:
                layer.batch_size, layer.num_timesteps = -1, num_timesteps


class _Change:
    """Hooks that change the time steps of what passes."""

    def __init__(self, samples: int, num_timesteps: int, random: torch.Generator | None) -> None:
        self._samples, self._num_timesteps, self._random = samples, num_timesteps, random

    def of_input(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        frames, *others = args
        whole = bool((frames == frames.round()).all())
        retime = Retime(self._num_timesteps, self._random, whole=whole)
        return (retime(frames), *others)

    def of_output(self, layer: nn.Module, _: object, output: Tensor) -> Tensor:
        retime = Retime(self._num_timesteps, self._random, whole=True)
        spikes: Tensor = retime(_split(layer, output, self._samples))
        return spikes.flatten(0, 1) if isinstance(layer, SqueezeMixin) else spikes


def _split(layer: nn.Module, output: Tensor, samples: int) -> Tensor:
    """Spikes of a layer, `b t *n`."""
    if not isinstance(layer, SqueezeMixin):
        return output
    return output.reshape(samples, -1, *output.shape[1:])
