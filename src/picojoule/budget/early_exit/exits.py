"""Inference that stops for each sample when the network is sure, within a budget of SynOps per sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.budget.early_exit.agreement import check_steps_agree
from picojoule.budget.early_exit.outcome import Calibration, Exits
from picojoule.budget.early_exit.record import ExitRecord, ExitRule, RecordedBatch
from picojoule.budget.early_exit.stepping import SteppedBatch, stepping
from picojoule.budget.early_exit.sureness import Sure, Sureness
from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.synops.distributed import unwrapped


class EarlyExit:
    """Runs a network one time step after the other, and ends for each sample when its answer is sure.

        answer[t] = sum over u <= t of output[u]
        exit = the first t at which  entropy(answer[t]) <= threshold,  or  margin(answer[t]) >= threshold;
               but last_step at the latest
        synops = sum over t <= exit of the SynOps of the sample in step t

    A sample that is done leaves the batch, with its states, and spends nothing more. The SynOps are those of a
    `Monitor(model, detail=("sample", "step"))` over the whole batch, added up to each sample's exit.

    The model takes `b t *f` of any number of time steps, remembers in the neuron layers of `picojoule.layers` alone, and
    gives `b t c` or `b c`. It runs in evaluation mode and without gradients, from states of zero; mode and batch
    sizes are then as before, and the states are reset. An encoder that makes the time steps of a still image goes
    before: `early(encoder(images))`. With a loss on the answer after each step in training, early answers are better
    (`picojoule train --loss-each-step`).

    Args:
        model: the network; compiled or in DistributedDataParallel if you like.
        sure: what tells how sure an answer is: "entropy" of its softmax, 0 to 1, or the "margin" by which the first
            class leads, in the unit of the answer.
        threshold: in that unit; None runs every sample to the last step. `calibrate` sets it.
        last_step: the time step after which all samples leave, from 1 on; None is their end. `calibrate` sets it, too.
        readout: what the answer is, from the sum of the outputs so far, `n c -> n c`; the sum itself if omitted. It
            may look at the layers' states, which are those of these samples: `lambda total: total + model[-1].v_mem`.
        called: what is called in place of the model, such as what Lightning Fabric made of it.
        counting: further options of `picojoule.Monitor`, such as `weights="nonzero"` or `inputs="dense"`.

    Raises:
        ValueError: the measure or an option is unknown, or the threshold is not a number.

    Example:
        >>> import picojoule
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(20, 30), picojoule.layers.IAF(), nn.Linear(30, 4))
        >>> frames, labels = (torch.rand(8, 10, 20) < 0.5).float(), torch.arange(8) % 4
        >>> early = EarlyExit(model)
        >>> early(frames).steps
        tensor([10, 10, 10, 10, 10, 10, 10, 10])
        >>> found = early.calibrate([(frames, labels)], synops_per_sample=3000.0)
        >>> found.exit.synops_per_sample <= 3000.0, early(frames).synops.mean() <= 3000.0
        (True, tensor(True))

    Source of the method: Li et al. 2023, DT-SNN, arXiv 2305.17346 (entropy); Li et al. 2023, SEENN, arXiv 2304.01230
    (confidence). Both answer with the mean over time; the sum has the same first class, and is what `picojoule train`
    trains.
    """

    def __init__(
        self,
        model: nn.Module,
        sure: Sure = "entropy",
        threshold: float | None = None,
        last_step: int | None = None,
        *,
        readout: Callable[[Tensor], Tensor] | None = None,
        called: Callable[[Tensor], Any] | None = None,
        **counting: Any,
    ) -> None:
        if threshold is not None and math.isnan(threshold):
            raise ValueError(
                f"EarlyExit: the threshold is {threshold}, expected a number, or None to run to the end."
            )
        if last_step is not None and not (isinstance(last_step, int) and last_step >= 1):
            raise ValueError(
                f"EarlyExit: last_step is {last_step!r}, expected a whole number >= 1, or None."
            )
        self.model = unwrapped(model)
        self.threshold, self.last_step = threshold, last_step
        self._sureness = Sureness(sure)
        self._readout = readout
        self._called = model if called is None else called
        options = {"time_axis": "bt", "reduce": None} | counting | {"detail": ("sample",)}
        self._monitor = CountingMonitor(self.model, **options)

    @property
    def sure(self) -> Sure:
        """What tells how sure an answer is."""
        return self._sureness.name

    def __call__(self, frames: Tensor) -> Exits:
        """Run a batch, each sample until the network is sure of it.

        Args:
            frames: `b t *f`.

        Raises:
            ValueError: the frames have no such axes, or the model does not answer with `b t c` or `b c`, or makes time
                steps of its own.
            NotImplementedError: the model remembers in a layer of which samples cannot be dropped, or has weights that
                the Monitor cannot count.
        """
        least, num_timesteps = self.rule.least, _num_timesteps(frames)
        last = min(num_timesteps, self.last_step or num_timesteps)
        left = torch.arange(len(frames), device=frames.device)
        steps = torch.zeros_like(left)
        spent = torch.zeros_like(left, dtype=torch.float64)
        answers: Tensor | None = None
        with stepping(self.model, len(frames)):
            run = SteppedBatch(self._called, self._monitor, frames)
            for step in range(1, last + 1):
                spent[left] += run.step()
                answer = self._answer(run)
                answers = answer if answers is None else answers.index_copy(0, left, answer)
                steps[left] = step
                going = ~(self._sureness.of(answer) >= least)
                if step == last or not going.any():
                    break
                run.keep(going)
                left = left[going]
        assert answers is not None
        return Exits(answers, steps, spent)

    def observe(self, data: Iterable[tuple[Tensor, Tensor]]) -> ExitRecord:
        """Run samples to the end and keep what was answered and spent after each step: all thresholds from one pass.

        Args:
            data: batches of frames, `b t *f`, and the classes of their samples, `b`. Batches may differ in time steps.

        Raises:
            ValueError: there is no sample; or as of a call; or the model answers all time steps at once otherwise than
                one after the other (looked at on the first batch).
            FloatingPointError: an answer is not finite.
        """
        batches: list[RecordedBatch] = []
        for frames, labels in data:
            batches.append(self._recorded(frames, labels, first=not batches))
        return ExitRecord(batches)

    def calibrate(
        self, data: Iterable[tuple[Tensor, Tensor]] | ExitRecord, *, synops_per_sample: float
    ) -> Calibration:
        """Set the threshold and last step that are most accurate within a budget, on samples best held out of training.

        All of them are judged exactly, from one pass over the data. Of equally accurate ones those that spend least are
        taken. Data like these are within the budget on average, not each sample.

        Args:
            data: as of `observe`; or what that gave, to try several budgets.
            synops_per_sample: the budget: mean SynOps of a sample up to its exit.

        Raises:
            ValueError: even an exit after the first step spends more; the message says what it spends. Or as of
                `observe`. Threshold and last step stay.
        """
        if not 0 < synops_per_sample < math.inf:
            raise ValueError(
                f"EarlyExit.calibrate: synops_per_sample is {synops_per_sample}, expected a number > 0."
            )
        record = data if isinstance(data, ExitRecord) else self.observe(data)
        rule = record.best_within(synops_per_sample)
        self.threshold = self._sureness.threshold_for(rule.least)
        self.last_step = rule.last_step
        return Calibration(
            self.threshold, self.last_step, synops_per_sample, record.at(rule), record.full
        )

    @property
    def rule(self) -> ExitRule:
        """Threshold and last step, as a record takes them."""
        return ExitRule(self._sureness.least_for(self.threshold), self.last_step)

    def _recorded(self, frames: Tensor, labels: Tensor, first: bool) -> RecordedBatch:
        num_timesteps = _num_timesteps(frames)
        if labels.shape != frames.shape[:1]:
            raise ValueError(
                f"EarlyExit: {len(frames)} samples have labels of shape {tuple(labels.shape)}, expected one class each."
            )
        running, synops = [], []
        with stepping(self.model, len(frames)):
            run = SteppedBatch(self._called, self._monitor, frames)
            for _ in range(num_timesteps):
                synops.append(run.step())
                running.append(self._answer(run))
        answers = torch.stack(running, 1)
        if not bool(answers.isfinite().all()):
            raise FloatingPointError(
                "EarlyExit: an answer is not finite. picojoule.check_finite(model) names the layer."
            )
        if first:
            check_steps_agree(self.model, self._called, frames, run.total)
        return RecordedBatch(
            sure=self._sureness.of(answers.flatten(0, 1)).reshape(-1, num_timesteps).cpu(),
            right=(answers.argmax(2) == labels.to(answers.device).unsqueeze(1)).cpu(),
            synops=torch.stack(synops, 1).cpu(),
        )

    def _answer(self, run: SteppedBatch) -> Tensor:
        return run.total if self._readout is None else self._readout(run.total)


def _num_timesteps(frames: Tensor) -> int:
    if frames.ndim < 2 or 0 in frames.shape[:2]:
        raise ValueError(
            f"EarlyExit: the frames have shape {tuple(frames.shape)}, expected (batch, time, *features), at least one "
            "sample and one time step."
        )
    return frames.shape[1]
