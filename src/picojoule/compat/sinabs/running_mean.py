"""What SNNAnalyzer keeps of a layer: the last forward pass, and the mean over all of them."""

from __future__ import annotations

from torch import Tensor


class RunningMean:
    """The last value and the weighted mean of all; only the last one keeps its gradient history."""

    def __init__(self) -> None:
        self.last: Tensor | None = None
        self.mean: Tensor | None = None
        self._weight = 0

    def add(self, value: Tensor, weight: int) -> None:
        """Take in a value that stands for `weight` samples."""
        self._weight += weight
        self.last = value
        if self.mean is None or self._weight == 0:
            self.mean = value
        else:
            before = self.mean.detach()
            self.mean = before + (value - before) * (weight / self._weight)

    def value(self, average: bool) -> Tensor:
        """The mean or the last value."""
        chosen = self.mean if average else self.last
        assert chosen is not None
        return chosen


class SpikingRecord:
    """Input, output `b t *n` and rates of a spiking layer."""

    def __init__(self) -> None:
        self.input: Tensor | None = None
        self.output = RunningMean()
        self.same_shape = True
        self.rate = RunningMean()
        self.rate_per_neuron = RunningMean()

    @property
    def was_called(self) -> bool:
        """Whether there is anything to tell."""
        return self.input is not None

    @property
    def n_neurons(self) -> int:
        """Neurons of one sample."""
        return self.rate_per_neuron.value(average=False).numel()

    def add(self, data: Tensor, output: Tensor) -> None:
        """Take in a call of the layer."""
        before = self.output.last
        self.same_shape = self.same_shape and (before is None or before.shape == output.shape)
        if self.same_shape:
            self.output.add(output, 1)
        else:
            self.output.last = output
        self.input = data
        self.rate.add(output.mean(), output.numel())
        self.rate_per_neuron.add(output.mean((0, 1)), output.shape[0] * output.shape[1])

    def statistics(self, average: bool) -> dict[str, int | Tensor | None]:
        """What `get_layer_statistics` tells."""
        return {
            "n_neurons": self.n_neurons,
            "input": self.input,
            "output": None if average and not self.same_shape else self.output.value(average),
            "firing_rate": self.rate.value(average),
            "firing_rate_per_neuron": self.rate_per_neuron.value(average),
        }


class CountedRecord:
    """SynOps per sample of a layer with weights; the calls of one forward pass are added up."""

    def __init__(self) -> None:
        self.synops = RunningMean()
        self.num_timesteps = 0
        self._calls: list[tuple[Tensor, int]] = []
        self._steps = 0

    @property
    def was_called(self) -> bool:
        """Whether there is anything to tell."""
        return self.synops.last is not None

    def add_call(self, synops: Tensor, samples: int, steps: int, one_step_of_many: bool) -> None:
        """Take in a call: its SynOps per sample; calls for single time steps add up to a sequence."""
        self._calls.append((synops, samples))
        self._steps = self._steps + 1 if one_step_of_many else steps

    def end_of_pass(self) -> None:
        """The forward pass is over."""
        if self._calls:
            total = sum(synops for synops, _ in self._calls[1:]) + self._calls[0][0]
            self.synops.add(total, self._calls[0][1])
            self.num_timesteps = self._steps
            self._calls, self._steps = [], 0

    def statistics(self, average: bool, dt_ms: float) -> dict[str, int | float | Tensor]:
        """What `get_layer_statistics` tells; without a time axis, the SynOps per second are infinite."""
        synops = self.synops.value(average)
        per_second = synops / self.num_timesteps / dt_ms * 1000
        return {
            "synops": synops,
            "num_timesteps": self.num_timesteps,
            "time_window": self.num_timesteps * dt_ms,
            "SynOps/s": per_second,
            "synops/s": per_second,
        }
