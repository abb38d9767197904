"""Which samples come when, and to which process.

The order of an epoch follows from (seed, epoch). A step's batch is cut into one share a process and each share into
micro-batches, so the samples of a step are the same however many processes and micro-batches there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from picojoule.training.networks.their_code import reason
from picojoule.training.randomness import Stream, generator
from picojoule.training.samples.frames import as_frames
from picojoule.training.samples.labels import class_numbers

Stacked = Callable[[Sequence[Any]], Tensor]


@dataclass(frozen=True)
class Process:
    """One of the processes of a run.

    Args:
        rank: its number, 0 to world_size - 1.
        world_size: how many there are.
    """

    rank: int = 0
    world_size: int = 1


@dataclass(frozen=True)
class Step:
    """The samples of one training step.

    Args:
        size: samples in the whole batch.
        mine: the indices of this process's micro-batches.
        weights: each micro-batch's share of the whole batch, over all processes.
    """

    size: int
    mine: tuple[Tensor, ...]
    weights: tuple[float, ...]


def steps_of_epoch(
    samples: Tensor, seed: int, epoch: int, batch_size: int, accumulate: int, process: Process
) -> list[Step]:
    """The steps of an epoch, in order.

    Args:
        samples: indices of the training samples, `n`.
        seed: of the run.
        epoch: from 0 on.
        batch_size: samples in a step over all processes; the last step has what is left.
        accumulate: micro-batches in a step, as far as there are samples for them.
        process: whose part is wanted.

    Raises:
        ValueError: a step has fewer samples than there are processes.

    Example:
        >>> first, last = steps_of_epoch(torch.arange(10), 1, 0, 6, 1, Process(rank=1, world_size=2))
        >>> first.size, len(first.mine[0]), last.size, len(last.mine[0])
        (6, 3, 4, 2)
    """
    order = samples[torch.randperm(len(samples), generator=generator(seed, Stream.ORDER, epoch))]
    return [_step(batch, accumulate, process) for batch in torch.split(order, batch_size)]


def _step(batch: Tensor, accumulate: int, process: Process) -> Step:
    world_size = process.world_size
    if len(batch) < world_size:
        raise ValueError(
            f"a training step has {len(batch)} samples for {world_size} processes; choose a batch_size, and one "
            "that leaves no such rest."
        )
    pieces = min(accumulate, len(batch) // world_size)
    shares = [torch.tensor_split(share, pieces) for share in torch.tensor_split(batch, world_size)]
    sizes = [sum(len(share[piece]) for share in shares) for piece in range(pieces)]
    return Step(len(batch), tuple(shares[process.rank]), tuple(size / len(batch) for size in sizes))


def share_of(samples: Tensor, process: Process, batch_size: int) -> list[Tensor]:
    """A process's part of some samples, in batches, to measure on.

    Raises:
        ValueError: there are fewer samples than processes.
    """
    if len(samples) < process.world_size:
        raise ValueError(f"{len(samples)} samples are too few for {process.world_size} processes.")
    mine = torch.tensor_split(samples, process.world_size)[process.rank]
    return list(torch.split(mine, batch_size))


def loaded(
    dataset: Any,
    batches: Sequence[Tensor],
    stacked: Stacked = class_numbers,
    workers: int = 0,
    drawn: torch.Generator | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The samples of each batch: frames, `b t *f`, and their targets, `b *k`.

    Args:
        dataset: `d[i] -> (frames, target)`.
        batches: indices.
        stacked: makes one tensor of the targets of a batch.
        workers: processes that load; 0 loads in this one.
        drawn: seeds the workers, for what a user's data set draws in them.

    Raises:
        ValueError: frames of one batch differ in shape or are no numbers, `stacked` finds fault with the targets, or
            the data set fails in a worker.
        ChildProcessError: a worker has ended.
    """
    batches_of_samples = DataLoader(
        _Told(dataset),
        batch_sampler=[batch.tolist() for batch in batches],
        num_workers=workers,
        collate_fn=partial(_batch_or_fault, stacked),
        pin_memory=torch.cuda.is_available(),
        generator=drawn or torch.Generator(),
    )
    for batch in _while_workers_live(batches_of_samples):
        if isinstance(batch, _Fault):
            raise ValueError(batch.sentence)
        yield batch


def _while_workers_live(batches: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from batches
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise ChildProcessError(
            f"a process that loads data has ended ({str(error).splitlines()[0].rstrip('. ')}). Take fewer --workers if "
            "memory is short; with --workers 0 an error in the data set itself is shown."
        ) from error


@dataclass(frozen=True)
class _Fault:
    """What went wrong in a worker. An exception would come with the worker's traceback for a message."""

    sentence: str


class _Told(Dataset[Any]):
    """A data set whose `StopIteration`, which would end the batches without a word, is an error."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        try:
            return self._sample(index)
        except Exception as error:
            if get_worker_info() is None:
                raise
            return _Fault(f"sample {index} of the data set: {reason(error)}.")

    def _sample(self, index: int) -> Any:
        try:
            return self._dataset[index]
        except StopIteration as error:
            raise RuntimeError(
                f"sample {index} of the data set raised StopIteration: an iterator in it has come to its end."
            ) from error


def _batch_or_fault(stacked: Stacked, samples: list[Any]) -> tuple[Tensor, Tensor] | _Fault:
    fault = next((each for each in samples if isinstance(each, _Fault)), None)
    if fault is not None:
        return fault
    try:
        return _batch(stacked, samples)
    except ValueError as error:
        if get_worker_info() is None:
            raise
        return _Fault(str(error))


def _batch(stacked: Stacked, samples: list[tuple[Any, Any]]) -> tuple[Tensor, Tensor]:
    frames = [as_frames(sample[0]) for sample in samples]
    shapes = sorted({tuple(each.shape) for each in frames})
    if len(shapes) > 1:
        raise ValueError(
            f"the samples of one batch have frames of shapes {', '.join(map(str, shapes[:3]))}; expected one shape. "
            "Cut or pad the samples to one number of time steps."
        )
    return torch.stack(frames), stacked([sample[1] for sample in samples])
