"""The samples of a run: training, validation and test, checked against one another."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from picojoule.data import load_data
from picojoule.training.networks.factories import load_datasets
from picojoule.training.randomness import Stream, generator
from picojoule.training.samples.batches import Stacked
from picojoule.training.samples.frames import as_frames
from picojoule.training.samples.labels import class_number, class_numbers
from picojoule.training.samples.targets import stacked_targets
from picojoule.training.settings.config import TrainConfig

_SACCADE = "saccade"
_SAMPLES, _LOOKED_AT = "checksum of some samples", 8


@dataclass(frozen=True)
class RunData:
    """Data sets and which of their samples are for what.

    Args:
        train: the training data set, `d[i] -> (frames, target)`; the validation samples are among these.
        test: the test data set.
        train_indices: of the samples to train on.
        validation_indices: of those kept aside.
        shape: of a sample, `t *f`.
        num_classes: None if the data set does not say.
        stacked: makes one tensor of the targets of a batch.
        checksum: of some samples; None of data that are another each time.
    """

    train: Any
    test: Any
    train_indices: Tensor
    validation_indices: Tensor
    shape: tuple[int, ...]
    num_classes: int | None
    stacked: Stacked
    checksum: int | None = None

    def described(self) -> dict[str, Any]:
        """What a checkpoint says of the data: enough to build the network, and to see other data."""
        samples = {} if self.checksum is None else {_SAMPLES: self.checksum}
        return {
            "shape": list(self.shape),
            "num_classes": self.num_classes,
            "training samples": len(self.train),
            "test samples": len(self.test),
            "checksum of the labels": _checksum(self.train, self.test),
            **samples,
        }

    def check_same(self, path: Path, then: Mapping[str, Any]) -> None:
        """Raise ValueError if a run began with other data.

        Args:
            path: the checkpoint, for the message.
            then: as of :meth:`described` when it was written.
        """
        changed = [
            f"{name}: {then[name]} then, {now} now"
            for name, now in self.described().items()
            if name in then and then[name] != now
        ]
        if changed:
            raise ValueError(
                f"{path} is of a run on other data. {'; '.join(changed)}. Go on with the data that it began with; or begin a "
                "run in another folder, with --start-from to keep the weights."
            )


def load_run_data(config: TrainConfig) -> RunData:
    """The data that a run asks for.

    Raises:
        FileNotFoundError, ValueError: they are missing, damaged, or of no use to a run.

    Example:
        >>> data = load_run_data(TrainConfig(validation_share=0.1))
        >>> data.shape, data.num_classes, len(data.train_indices), len(data.validation_indices)
        ((5, 1, 28, 28), 10, 5400, 600)
    """
    train, test = _datasets(config)
    stacked = class_numbers if config.task is None else stacked_targets
    shape = _checked_shape("train", train, stacked)
    others = _checked_shape("test", test, stacked)
    if shape[1:] != others[1:]:
        raise ValueError(
            f"the training samples have shape {_shown(shape)}, those of the test set {_shown(others)}; "
            "expected the same, but for the time steps."
        )
    order = torch.randperm(len(train), generator=generator(config.seed, Stream.SPLIT))
    held = _held(config.validation_share, len(train))
    return RunData(
        train,
        test,
        train_indices=order[held:].sort().values,
        validation_indices=order[:held].sort().values,
        shape=shape,
        num_classes=_num_classes(train, test),
        stacked=stacked,
        checksum=_checksum_of_samples((train, test), stacked),
    )


def set_epoch(dataset: Any, epoch: int) -> None:
    """Draw a data set's noise for an epoch, if it draws any."""
    if hasattr(dataset, "set_epoch"):
        dataset.set_epoch(epoch)


def _datasets(config: TrainConfig) -> Sequence[Any]:
    source = config.data
    if source is not None:
        name, colon, _ = source.partition(":")
        if colon and name != _SACCADE and not Path(source).exists():
            return load_datasets(source)
    return load_data(
        source,
        num_timesteps=config.num_timesteps,
        max_rate=config.pixel_rate,
        seed=config.seed,
    )


def _checked_shape(name: str, dataset: Any, stacked: Stacked) -> tuple[int, ...]:
    if len(dataset) == 0:
        raise ValueError(f"the {name} data set is empty.")
    sample = dataset[0]
    if not (isinstance(sample, tuple) and len(sample) == 2):
        raise ValueError(
            f"the {name} data set gives a {type(sample).__name__} as its first sample, expected (frames, label)."
        )
    first = f"the first sample of the {name} data set"
    try:
        stacked([sample[1]])
    except ValueError as error:
        own = (
            ""
            if stacked is stacked_targets
            else " To learn something else than classes, name a --task."
        )
        raise ValueError(f"{first}: {error}{own}") from None
    try:
        frames = as_frames(sample[0])
    except ValueError as error:
        raise ValueError(f"{first}: {error}") from None
    shape = tuple(frames.shape)
    if len(shape) < 2:
        raise ValueError(f"{first}: frames of shape {shape}, expected t *f: time, then features.")
    if not frames.numel():
        raise ValueError(f"{first}: frames of shape {shape}, which hold nothing.")
    return shape


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _held(share: float, samples: int) -> int:
    held = round(share * samples)
    if share > 0 and not 0 < held < samples:
        raise ValueError(
            f"training: a validation_share of {share} of {samples} training samples is {held}; expected at least "
            "one to validate with and one to train on."
        )
    return held


def _num_classes(*datasets: Any) -> int | None:
    known = [_classes_of(dataset) for dataset in datasets]
    return max((n for n in known if n is not None), default=None)


def _classes_of(dataset: Any) -> int | None:
    said = getattr(dataset, "num_classes", None)
    if said is not None:
        return _stated_classes(said)
    labels = _labels_of(dataset)
    return None if labels is None else int(labels.max()) + 1


def _labels_of(dataset: Any) -> Tensor | None:
    """All class numbers, of a data set that has them at hand."""
    for name in ("labels", "targets"):
        try:
            labels = torch.as_tensor(getattr(dataset, name, ()))
        except (TypeError, ValueError, RuntimeError):  # such as the names of the classes
            continue
        if labels.ndim == 1 and len(labels) and not labels.is_floating_point():
            return labels
    return None


def _checksum(*datasets: Any) -> int | None:
    """Of all labels in their order; None where a data set does not show them."""
    found = 0
    for dataset in datasets:
        labels = _labels_of(dataset)
        if labels is None:
            return None
        found = zlib.crc32(labels.cpu().to(torch.int64).numpy().tobytes(), found)
    return found


def _checksum_of_samples(datasets: Sequence[Any], stacked: Stacked) -> int | None:
    """Of frames and targets of some samples of each data set, as the first epoch has them; None if they are drawn at random."""
    found = 0
    with torch.random.fork_rng(devices=[]):
        for dataset in datasets:
            set_epoch(dataset, 0)
            if _of_sample(dataset, 0, stacked, 0) != _of_sample(dataset, 0, stacked, 0):
                return None
            for number in sorted(
                {n * (len(dataset) - 1) // _LOOKED_AT for n in range(_LOOKED_AT + 1)}
            ):
                found = _of_sample(dataset, number, stacked, found)
    return found


def _of_sample(dataset: Any, number: int, stacked: Stacked, before: int) -> int:
    """A checksum that goes on; samples that do not fit are named where they are trained on."""
    frames, target = dataset[number]
    with contextlib.suppress(ValueError):
        for each in (as_frames(frames), stacked([target])):
            before = zlib.crc32(each.detach().cpu().contiguous().numpy().tobytes(), before)
    return before


def _stated_classes(said: Any) -> int:
    with contextlib.suppress(ValueError):
        number = class_number(said)
        if number >= 0:
            return number
    raise ValueError(
        f"num_classes of the data set is {said!r}, expected a whole number, or none if it has no classes."
    )
