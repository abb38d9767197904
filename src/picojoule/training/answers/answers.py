"""A network's answers to batches of samples, each from states of zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers import StatefulLayer, reset_states, set_batch_size
from picojoule.layers.squeeze import SqueezeMixin
from picojoule.training.answers.each_step import counts_by_step, left_by_step, recording
from picojoule.training.answers.readout import (
    Readout,
    answering_neurons,
    summed_over_time,
    with_potential,
)
from picojoule.training.networks.refusing_layer import refusing_layer


class Answers:
    """Calls a network, each time from states of zero, and reads its answers.

    Args:
        bare: the network itself.
        wrapped: what is called: the network, or what Fabric made of it.
        readout: "count" or "potential", `b c`, as of :class:`picojoule.training.TrainConfig`; "auto" for the potential
            where the network ends in neurons that have one; None for the network's output as it is.
    """

    def __init__(self, bare: nn.Module, wrapped: Any, readout: Readout | None = "count") -> None:
        self.bare, self._wrapped, self._readout = bare, wrapped, readout
        self._neurons: StatefulLayer | None = None
        self._undecided = readout in ("auto", "potential")

    def __call__(self, frames: Tensor) -> Any:
        """The answers to frames, `b t *f`.

        Raises:
            ValueError: the output has a shape, or the network a last layer, that the readout cannot read.
        """
        output = self.output(frames)
        if self._readout is None:
            return output
        return self.read(summed_over_time(output, *frames.shape[:2]))

    def output(self, frames: Tensor) -> Any:
        """What the network gives for frames, `b t *f`, as it is."""
        self._begin(frames)
        return self._wrapped(frames)

    def by_step(self, frames: Tensor) -> Tensor:
        """The answers after each time step, `b t c`; the last is that of a call.

        Raises:
            ValueError: the output has no time, or the last layer keeps no potential of each step.
        """
        self._begin(frames)
        if self._neurons is None:
            return counts_by_step(self._wrapped(frames), *frames.shape[:2])
        with recording(self._neurons):
            counts = counts_by_step(self._wrapped(frames), *frames.shape[:2])
            left = left_by_step(self._neurons)
        return counts + left.reshape(counts.shape).to(counts.dtype)

    def read(self, counts: Tensor) -> Tensor:
        """The answers to the last batch, from the network's outputs summed over the time steps so far, `b c`."""
        if self._neurons is None:
            return counts
        return with_potential(self._neurons)(counts)

    @property
    def potential_of(self) -> str | None:
        """The layer whose potential is a part of the answers; None if there is none, or before the first call."""
        named = self.bare.named_modules()
        return next((name for name, layer in named if layer is self._neurons), None)

    def _begin(self, frames: Tensor) -> None:
        set_batch_size(self.bare, len(frames))
        reset_states(self.bare)
        if self._undecided:
            self._decide(frames)
            reset_states(self.bare)

    def _decide(self, frames: Tensor) -> None:
        """Find the neurons whose potential is read, by one more run of the network."""
        batch_size, num_timesteps = frames.shape[:2]
        try:
            with torch.no_grad():
                _, self._neurons = answering_neurons(
                    self.bare, lambda: self._wrapped(frames), batch_size, num_timesteps
                )
        except ValueError:
            if self._readout == "potential":
                raise
        self._undecided = False


def first_answers(answers: Answers, frames: Tensor) -> Any:
    """The answers to a first batch, or an error that says what does not fit.

    Raises:
        ValueError: the model does not take the frames, or its output cannot be read.
    """
    _check_time(answers.bare, frames.shape[1])
    try:
        return answers(frames)
    except NotImplementedError:  # of the Monitor, which says itself what is to be done
        raise
    except (RuntimeError, TypeError, IndexError) as error:
        shape = " x ".join(map(str, frames.shape))
        what = (str(error).splitlines() or ["no more is said"])[0].rstrip(".")
        raise ValueError(
            f"the model does not take the data: a batch of {shape} (samples, time steps, then features) gave "
            f"{type(error).__name__}: {what}.{refusing_layer(answers.bare, lambda: answers(frames))}"
        ) from error


def _check_time(model: nn.Module, num_timesteps: int) -> None:
    for name, layer in model.named_modules():
        if isinstance(layer, SqueezeMixin) and layer.num_timesteps not in (-1, num_timesteps):
            raise ValueError(
                f"the model's layer {name!r} ({type(layer).__name__}) is built for {layer.num_timesteps} time steps, "
                f"the data have {num_timesteps}. Give it batch_size in place of num_timesteps, or choose --num-timesteps."
            )
