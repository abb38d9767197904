"""A model that gets one time step after the other, of fewer and fewer samples, while its SynOps are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers import (
    SqueezeMixin,
    StatefulLayer,
    UnflattenTime,
    keep_samples,
    reset_states,
)
from picojoule.layers.evaluating import evaluating
from picojoule.synops.counting_monitor import CountingMonitor


class SteppedBatch:
    """The samples of a batch that still run; `total` is the sum of their outputs so far, `n c`.

    Args:
        called: the model, or what wraps it.
        monitor: on the model, with `detail=("sample",)`.
        frames: of all samples, `b t *f`.
    """

    def __init__(
        self, called: Callable[[Tensor], Any], monitor: CountingMonitor, frames: Tensor
    ) -> None:
        self._called, self._monitor, self._frames = called, monitor, frames
        self.total = torch.zeros((), device=frames.device)
        self._next = 0

    def step(self) -> Tensor:
        """Run the next time step; the SynOps of each sample in it, `n`, float64.

        Raises:
            ValueError: the output has another shape, or the model made several time steps of one.
            NotImplementedError: the model remembers where samples cannot be dropped.
        """
        frames = self._frames[:, self._next : self._next + 1]
        with self._monitor:
            output = self._called(frames)
        self._check_memory()
        self._next += 1
        one = _of_one_step(output, len(frames))
        self.total = self.total + one.to(torch.promote_types(one.dtype, torch.float32))
        return self._spent(len(frames))

    def keep(self, going: Tensor) -> None:
        """Drop the samples that do not go on, `n` of bool."""
        keep_samples(self._monitor.model, going)
        self._frames, self.total = self._frames[going], self.total[going]

    def _spent(self, samples: int) -> Tensor:
        synops = self._monitor.synops
        if synops.num_timesteps != 1:
            raise ValueError(
                f"EarlyExit: the model made {synops.num_timesteps:g} time steps of one, so it cannot be stopped between them. If it "
                "begins with an encoder that makes the steps, leave that out, EarlyExit(model[1:]), and give what the "
                "encoder makes: early(encoder(images))."
            )
        if synops.sample_steps != samples:
            raise ValueError(
                f"EarlyExit: the layers were given {synops.sample_steps:g} samples where the batch has {samples}, so whose states "
                "and SynOps are whose is not known. Give each sample one entry of the first axis in every layer."
            )
        parts = [part.double() for part in synops.detail.values()]
        return sum(parts, start=self._frames.new_zeros(samples, dtype=torch.float64))

    def _check_memory(self) -> None:
        """Raise NotImplementedError if a neuron is not one of ours; known for sure only after the first step."""
        if self._next > 0:
            return
        modules = dict(self._monitor.model.named_modules())
        for name in self._monitor.spiking_layers:
            if not isinstance(modules[name], StatefulLayer):
                kind = type(modules[name])
                raise NotImplementedError(
                    f"EarlyExit: layer {name!r} ({kind.__module__}.{kind.__name__}) makes spikes, but is no "
                    "picojoule.layers.StatefulLayer, and where it keeps the states of samples that are done is not "
                    "known. Put a neuron layer of picojoule.layers in its place."
                )


def _of_one_step(output: Any, samples: int) -> Tensor:
    """The output of one time step, `n c`."""
    if isinstance(output, Tensor) and len(output) == samples:
        if output.ndim == 2:
            return output
        if output.ndim == 3 and output.shape[1] == 1:
            return output.squeeze(1)
    came = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ValueError(
        f"EarlyExit: the model answers one time step of {samples} samples with {came}, expected b 1 c or b c: a number "
        "for each class. It has to take any number of time steps, b t *f."
    )


@contextmanager
def stepping(model: nn.Module, samples: int) -> Iterator[None]:
    """Without gradients, in evaluation mode, from states of zero; afterwards all is as before, but for the states.

    Args:
        model: whose squeezing layers are told the number of samples, those that know the time steps alone, too.
        samples: in the first step.

    Raises:
        NotImplementedError: a layer begins anew at each call.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.RNNBase):
            raise NotImplementedError(
                f"EarlyExit: layer {name!r} ({type(module).__name__}) begins anew at each call, so it cannot run step by "
                "step. Put a recurrent layer of picojoule.layers in its place."
            )
    with torch.no_grad(), evaluating(model), ExitStack() as after:
        for module in model.modules():
            if isinstance(module, (UnflattenTime, SqueezeMixin)):
                after.callback(_set_sizes, module, module.batch_size, module.num_timesteps)
                _set_sizes(module, samples, -1)
        reset_states(model)
        after.callback(reset_states, model)
        yield


def _set_sizes(module: Any, batch_size: int, num_timesteps: int) -> None:
    module.batch_size, module.num_timesteps = batch_size, num_timesteps
