"""A sample's spikes follow from (seed, epoch, index), and their rate from the brightness."""

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from picojoule.data import RateCoded

GREY = torch.full((4, 6, 5), 51, dtype=torch.uint8)
LABELS = torch.tensor([2, 0, 1, 2])


def frames_of(data: RateCoded, **loading: object) -> Tensor:
    return torch.cat([frames for frames, _ in DataLoader(data, batch_size=3, **loading)])


def test_the_rate_is_the_brightness_times_the_highest_rate() -> None:
    frames, _ = RateCoded(GREY, LABELS, 2000, max_rate=0.5)[1]
    # 51 / 255 * 0.5 = 0.1 over 60,000 draws: five standard errors are 0.006
    assert frames.shape == (2000, 1, 6, 5)
    assert frames.dtype == torch.float32
    assert abs(frames.mean().item() - 0.1) < 0.006


def test_every_grey_value_has_its_rate() -> None:
    ramp = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    frames, _ = RateCoded(ramp, LABELS[:1], 4000)[0]
    wanted = torch.arange(256).reshape(1, 16, 16) / 255
    # five standard errors of 4,000 draws at most 5 * sqrt(0.25 / 4000) = 0.04
    assert (frames.mean(0) - wanted).abs().max() < 0.04


def test_black_never_fires_and_white_always() -> None:
    ends = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    frames, _ = RateCoded(ends, LABELS[:1], 5000)[0]
    assert frames.sum(0).flatten().tolist() == [0.0, 5000.0]


def test_time_steps_pixels_samples_and_epochs_are_independent() -> None:
    half = torch.full((2, 30, 30), 127, dtype=torch.uint8)
    data = RateCoded(half, LABELS[:2], 20)
    draws = [data[0][0], data[1][0]]
    data.set_epoch(1)
    draws += [data[0][0], RateCoded(half, LABELS[:2], 20, redrawn=False)[0][0]]
    values = torch.stack(draws).flatten(1)
    shifted = torch.stack([values[0, 900:], values[0, :-900]]), values[0].reshape(-1, 2).T
    for pairs in (values, *shifted):
        correlation = torch.corrcoef(pairs) - torch.eye(len(pairs))
        # 9,000 pairs at the least: five standard errors of a correlation of 0
        assert correlation.abs().max() < 5 / 9000**0.5


def test_a_sample_depends_on_seed_epoch_and_index_only() -> None:
    data = RateCoded(GREY, LABELS, 10, seed=3)
    alone = data[2][0]
    assert torch.equal(data.__getitems__([3, 2, 0])[1][0], alone)
    assert torch.equal(data[-2][0], alone)
    assert torch.equal(RateCoded(GREY, LABELS, 10, seed=3)[2][0], alone)
    assert torch.equal(pickle.loads(pickle.dumps(data))[2][0], alone)
    assert not torch.equal(RateCoded(GREY, LABELS, 10, seed=4)[2][0], alone)
    assert not torch.equal(data[1][0], alone)


def test_an_epoch_draws_anew_and_comes_back() -> None:
    data = RateCoded(GREY, LABELS, 10)
    first = data[0][0]
    data.set_epoch(1)
    assert not torch.equal(data[0][0], first)
    data.set_epoch(0)
    assert torch.equal(data[0][0], first)


def test_a_test_set_is_never_drawn_anew() -> None:
    data = RateCoded(GREY, LABELS, 10, redrawn=False)
    first = data[0][0]
    data.set_epoch(5)
    assert torch.equal(data[0][0], first)
    assert not torch.equal(RateCoded(GREY, LABELS, 10)[0][0], first)


def test_two_workers_give_what_none_gives() -> None:
    data = RateCoded(GREY, LABELS, 10)
    assert torch.equal(frames_of(data, num_workers=2), frames_of(data))


def test_workers_that_persist_see_the_epoch_change() -> None:
    data = RateCoded(GREY, LABELS, 10)
    loader = DataLoader(data, batch_size=4, num_workers=1, persistent_workers=True)
    first = next(iter(loader))[0]
    data.set_epoch(1)
    assert not torch.equal(next(iter(loader))[0], first)
    assert torch.equal(next(iter(loader))[0], frames_of(data))


def test_a_copy_keeps_its_own_epoch() -> None:
    data = RateCoded(GREY, LABELS, 10)
    twin = copy.deepcopy(data)
    twin.set_epoch(1)
    assert not torch.equal(twin[0][0], data[0][0])


def test_nothing_random_is_taken_from_outside() -> None:
    before = torch.get_rng_state()
    RateCoded(GREY, LABELS, 10)[0]
    assert torch.equal(torch.get_rng_state(), before)


def test_colour_images_keep_their_channels() -> None:
    colour = torch.zeros(1, 3, 3, 3, dtype=torch.uint8)
    colour[:, 1] = 255
    frames, label = RateCoded(colour, LABELS[:1], 3)[0]  # 81 values: an odd number of draws
    assert frames.shape == (3, 3, 3, 3)
    assert frames.sum((0, 2, 3)).tolist() == [0, 27, 0]
    assert label == 2
    assert isinstance(label, int)


def test_labels_and_classes_are_told() -> None:
    data = RateCoded(GREY, LABELS.to(torch.uint8))
    assert (len(data), data.num_classes, data.labels.dtype) == (4, 3, torch.int64)
    assert RateCoded(GREY, LABELS, num_classes=10).num_classes == 10
    assert data.__getitems__([]) == []


@pytest.mark.parametrize("index", [4, -5])
def test_a_sample_that_is_not_there_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"sample {index} is asked for, there are 4"):
        RateCoded(GREY, LABELS)[index]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((GREY.float(), LABELS), TypeError, "float32, expected uint8"),
        ((GREY[0], LABELS), ValueError, r"shape \(6, 5\) and there are 4 labels"),
        ((GREY[:3], LABELS), ValueError, r"shape \(3, 6, 5\) and there are 4 labels"),
        ((GREY[:0], LABELS[:0]), ValueError, r"shape \(0,\), expected \(n,\) with n >= 1"),
        ((GREY, LABELS.float()), TypeError, "labels are torch.float32, expected integers"),
        ((GREY, LABELS - 1), ValueError, "label of sample 1 is -1, expected 0 to 1"),
        ((GREY, LABELS, 0), ValueError, "num_timesteps is 0"),
        ((GREY, LABELS, 5, 1.5), ValueError, "max_rate is 1.5"),
    ],
)
def test_what_cannot_be_coded_is_named(
    arguments: tuple[object, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        RateCoded(*arguments)  # type: ignore[arg-type]


def test_a_label_beyond_the_classes_is_named() -> None:
    with pytest.raises(ValueError, match="label of sample 0 is 2, expected 0 to 1"):
        RateCoded(GREY, LABELS, num_classes=2)


def test_a_negative_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"RateCoded.set_epoch: epoch is -1"):
        RateCoded(GREY, LABELS).set_epoch(-1)
