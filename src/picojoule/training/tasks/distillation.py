"""A teacher: a trained network whose answers are to be matched."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.training.answers.answers import Answers
from picojoule.training.answers.readout import Readout


class Teacher:
    """Answers of a trained network, softened, as a part of the loss.

        T^2 * KL(softmax(teacher / T) || softmax(student / T)), mean over the samples

    Args:
        model: the trained network; it is moved to the device, kept in evaluation mode and not trained.
        fabric: whose device and precision it has.
        readout: of the student.
        temperature: T; the higher, the more the smaller answers tell.

    A student learns to give answers as large as the teacher's, which may take it more spikes.

    Source: Hinton, Vinyals and Dean, arXiv 1503.02531.
    """

    def __init__(self, model: nn.Module, fabric: Any, readout: Readout, temperature: float) -> None:
        self._precision, self._temperature = fabric.strategy.precision, temperature
        model = self._precision.convert_module(model).to(fabric.device)
        self._model = model.eval().requires_grad_(False)
        self._answers = Answers(self._model, self._forward, readout)

    def loss(self, frames: Tensor, answers: Tensor) -> Tensor:
        """How far a student's answers, `b c`, to frames, `b t *f`, are from the teacher's."""
        with torch.no_grad():
            wanted = self._answers(frames)
        log_p = F.log_softmax(wanted / self._temperature, 1)
        log_q = F.log_softmax(answers / self._temperature, 1)
        divergence = F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
        return self._temperature**2 * divergence

    def _forward(self, frames: Tensor) -> Any:
        with self._precision.forward_context():
            output = self._model(self._precision.convert_input(frames))
        return self._precision.convert_output(output)
