"""How many samples and time steps a forward pass has."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from torch import Tensor, nn

from picojoule.layers import FlattenTime, UnflattenTime
from picojoule.layers.squeeze import split_batch_and_time
from picojoule.synops.watch.spiking import Spiking, TimeAxis


class Steps(NamedTuple):
    """Samples, and time steps of each; tensors where they are those of several processes."""

    samples: Any
    time: Any


class StepCount:
    """Reads samples and time steps off the layers that know them, or off the model's input.

    Args:
        time_axis: where the model's input has its time; None to ask the layers.
        num_timesteps: time steps of a sample; None to find out.
    """

    def __init__(self, time_axis: TimeAxis | None, num_timesteps: int | None) -> None:
        self._axis, self._time = time_axis, num_timesteps
        self._found: Steps | None = None
        self._loop: Counter[str] = Counter()
        self._loop_samples = 1
        self._input_shape: tuple[int, ...] = ()
        self.time_first = time_axis == "tb"

    def see_input(self, values: list[Tensor]) -> None:
        """Note the model's input."""
        self._input_shape = tuple(values[0].shape) if values else ()

    def see_spiking(self, name: str, module: nn.Module, kind: Spiking, data: Tensor) -> None:
        """Note what a spiking module was called with."""
        if data.ndim == 0:
            return
        if kind.time == "folded":
            self._take(_unfolded(module, len(data)))
        elif kind.time in ("bt", "tb"):
            self.time_first = self.time_first or kind.time == "tb"
            shape = (*data.shape, 1)
            self._take(Steps(*shape[:2]) if kind.time == "bt" else Steps(shape[1], shape[0]))
        else:
            self._loop[name] += 1
            self._loop_samples = len(data)

    def see_reshape(self, module: nn.Module, data: Tensor) -> None:
        """Note a layer that folds or unfolds time."""
        if isinstance(module, FlattenTime) and data.ndim > 1:
            self._take(Steps(*data.shape[:2]))
        elif isinstance(module, UnflattenTime):
            self._take(_unfolded(module, len(data)))

    def _take(self, steps: Steps | None) -> None:
        self._found = self._found or steps

    def result(self) -> Steps:
        """Samples and time steps of this forward pass.

        Raises:
            ValueError: they cannot be told.
        """
        shape = (*self._input_shape, 1, 1)[: max(len(self._input_shape), 2)]
        axis = self._axis
        if axis is None and (self._found or self._loop):
            steps = self._found or Steps(self._loop_samples, self._calls())
        elif axis in ("bt", "tb"):
            steps = Steps(*shape[:2]) if axis == "bt" else Steps(shape[1], shape[0])
        elif axis == "loop":
            steps = Steps(self._loop_samples if self._loop else shape[0], self._calls())
        elif axis == "folded":
            steps = self._folded(shape[0])
        else:
            steps = Steps(shape[0], 1)
        if self._time is None or axis == "folded":
            return steps
        if axis == "loop" or self._loop:
            return Steps(steps.samples, self._time)
        return self._divided(steps.samples * steps.time)

    def _folded(self, entries: int) -> Steps:
        if self._time is not None:
            return self._divided(entries)
        if self._found is None:
            raise ValueError(
                "Monitor: time_axis='folded', but no layer says how many time steps a sample has. "
                "Pass num_timesteps."
            )
        return self._found

    def _divided(self, entries: int) -> Steps:
        assert self._time is not None
        if entries % self._time:
            raise ValueError(
                f"Monitor: num_timesteps is {self._time}, but the forward pass had {entries} samples times time steps, "
                "no multiple of it. Pass the time steps of one sample, and time_axis, where the input has them."
            )
        return Steps(entries // self._time, self._time)

    def _calls(self) -> int:
        if self._time is not None:
            return self._time
        counts = sorted(set(self._loop.values())) or [1]
        if len(counts) > 1:
            raise ValueError(
                f"Monitor: the spiking layers were called different numbers of times in one forward pass, {dict(self._loop)}, "
                "so its time steps are unknown. Pass num_timesteps."
            )
        return counts[0]


def _unfolded(module: Any, entries: int) -> Steps:
    batch, time = getattr(module, "batch_size", -1), getattr(module, "num_timesteps", -1)
    batch, time = (-1 if n is None else int(n) for n in (batch, time))
    return Steps(*split_batch_and_time(type(module).__name__, entries, batch, time))
