"""Frames of all kinds that data sets give, and where they are loaded: what is wrong is told in one sentence."""

import os
from collections.abc import Callable

import numpy as np
import pytest
import torch

from picojoule.training.samples.batches import loaded
from picojoule.training.samples.frames import as_frames
from picojoule.training.samples.run_data import _checked_shape as checked_shape
from picojoule.training.samples.run_data import _num_classes as num_classes
from picojoule.training.samples.targets import stacked_targets

FIRST = "the first sample of the train data set: "


@pytest.mark.parametrize(
    "frames",
    [
        np.ones((3, 4), dtype=np.uint16),
        torch.ones(3, 4, dtype=torch.bool),
        [[1, 1, 1, 1]] * 3,
        torch.ones(3, 4, dtype=torch.float64),
    ],
)
def test_numbers_of_every_kind_are_frames(frames: object) -> None:
    assert torch.equal(as_frames(frames), torch.ones(3, 4))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (object(), "frames are of type object, expected a tensor or an array of numbers, t "),
        (None, "frames are of type NoneType"),
        ({"x": 1}, "frames are of type dict"),
        ("abc", "frames are of type str"),
        ([torch.ones(4), torch.ones(4)], r"frames are of type list .*torch\.stack"),
        (np.array([[1, None]], dtype=object), "frames are of type ndarray .*object_"),
        (np.ones((3, 4))[::-1], "frames are of type ndarray .*copy"),
        (1j * torch.ones(3, 4), "frames are complex numbers .* two features"),
        (torch.ones(0, 4), r"frames of shape \(0, 4\), which hold nothing"),
        (torch.ones(4), r"frames of shape \(4,\), expected t \*f"),
    ],
)
def test_what_are_no_frames_is_named_with_the_data_set(frames: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"{FIRST}{message}"):
        checked_shape("train", [(frames, 0)], stacked_targets)


def test_imaginary_parts_are_not_dropped_in_later_samples() -> None:
    samples = [(torch.ones(2, 2), 0), (1j * torch.ones(2, 2), 1)]
    with pytest.raises(ValueError, match="frames are complex numbers"):
        [*loaded(samples, [torch.arange(2)])]


@pytest.mark.parametrize("said", [None, "three", float("nan"), -1, lambda: 3])
def test_a_number_of_classes_that_is_none_is_named(said: object) -> None:
    class Named(list[object]):
        num_classes = said

    if said is None:
        assert num_classes(Named(), []) is None
        return
    with pytest.raises(ValueError, match=r"num_classes of the data set is .*, expected a whole"):
        num_classes(Named(), [])


class Broken:
    """Two samples, the second of which is what `how` makes of it."""

    def __init__(self, how: Callable[[], object]) -> None:
        self.how = how

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> object:
        return self.how() if index else (torch.ones(1, 2), 0)


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        (lambda: (1j * torch.ones(1, 2), 0), ValueError, "frames are complex numbers"),
        (lambda: (torch.ones(1, 2), "cat"), ValueError, "a label is 'cat', a str"),
        (
            lambda: {}["no"],
            ValueError,
            r"sample 1 of the data set: KeyError: 'no' \(test_frames.py, line \d+\)",
        ),
        (lambda: os._exit(3), ChildProcessError, "process that loads data has ended .*--workers"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_one_sentence(
    how: Callable[[], object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as told:
        [*loaded(Broken(how), [torch.arange(2)], workers=1)]
    assert "\n" not in str(told.value)
