"""Mixed time-step training: in each forward pass, every stage of the network has its own number of time steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.training.answers.answers import Answers
from picojoule.training.networks.stages import Stages
from picojoule.training.randomness import Stream, derived_seed, generator


class MixedTimeSteps:
    """Draws time steps for the stages of a network in training, each number from 1 to twice the usual one alike.

    Between two stages all spikes stay, spread over the steps of the next one, and whole. So the answers and the SynOps of
    a sample need no scaling, and the Monitor counts them per usual time step. Draws follow from seed and epoch: a
    run that goes on draws the same.

    Args:
        answers: of the network.
        monitor: of the network.
        seed: of the run.
        device: of the frames.

    Source: after Mixed Time-step Training, Du et al., "Temporal Flexibility in Spiking Neural Networks", ICLR 2025,
    arXiv:2503.17394, which repeats spikes for more steps; what differs and why is in docs/adr/0038.
    """

    def __init__(
        self, answers: Answers, monitor: CountingMonitor, seed: int, device: torch.device
    ) -> None:
        self._answers, self._monitor, self._seed, self._device = answers, monitor, seed, device
        self.stages = Stages(answers.bare)  # none before `find`: then all have the same steps
        self.begin_epoch(0, 0)

    def find(self, frames: Tensor) -> None:
        """Look for the stages, on a batch `b t *f`.

        Raises:
            ValueError, NotImplementedError: there are none, and why.
        """
        with self._monitor.paused():
            self.stages.find(self._answers.output, frames)

    def begin_epoch(self, epoch: int, rank: int) -> None:
        """Begin with the random numbers of an epoch; all processes have the same steps, and spikes at places of their own."""
        self._steps = generator(self._seed, Stream.TIME_STEPS, epoch)
        places = derived_seed(self._seed, Stream.SPIKE_TIMES, epoch, rank)
        self._places = torch.Generator(self._device).manual_seed(places)

    @contextmanager
    def drawn(self, frames: Tensor) -> Iterator[None]:
        """Forward passes on these frames, `b t *f`, have drawn time steps meanwhile; without stages, the usual ones."""
        if not self.stages.found:
            yield
            return
        samples, usual = frames.shape[:2]
        steps = self.stages.draw(usual, self._steps)
        with (
            self.stages.running(frames, steps, self._places),
            self._monitor.counting_as(samples, usual),
        ):
            yield
