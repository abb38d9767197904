"""Still images before a moving camera: edges move, and what comes goes again."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from picojoule.data import Events, events_to_frames, load_data, load_images, saccade


def square(side: int = 12, brightness: int = 255) -> Tensor:
    image = torch.zeros(1, side, side, dtype=torch.uint8)
    image[:, side // 3 : 2 * side // 3, side // 3 : 2 * side // 3] = brightness
    return image


def watched_pixel_by_pixel(image: Tensor, threshold: float, steps: int) -> list[list[int]]:
    """ON and OFF events of each pixel, by the definition, for a reach of 3."""
    side = image.shape[-1]

    def pixel(x: int, y: int) -> int:
        return int(image[0, y, x]) if 0 <= x < side and 0 <= y < side else 0

    def level(x: float, y: float) -> int:
        left, top = math.floor(x), math.floor(y)
        right, down = x - left, y - top
        seen = (1 - down) * (
            (1 - right) * pixel(left, top) + right * pixel(left + 1, top)
        ) + down * ((1 - right) * pixel(left, top + 1) + right * pixel(left + 1, top + 1))
        # whole parts of a threshold: a level that comes back is the same, not nearly so
        return round(math.log(math.floor(seen * 16) / 16 / 255 + 0.1) / threshold * 4096)

    corners = [(-3, 3), (0, -3), (3, 3), (-3, 3)]
    ways = [(1 - math.cos(math.pi * k / steps)) / 2 for k in range(1, steps + 1)]
    path = [corners[0]]
    for (ax, ay), (bx, by) in pairwise(corners):
        path += [
            (round((ax + w * (bx - ax)) * 16) / 16, round((ay + w * (by - ay)) * 16) / 16)
            for w in ways
        ]
    counts = []
    for y in range(side + 6):
        for x in range(side + 6):
            on = off = 0
            reference = level(x - 3 - path[0][0], y - 3 - path[0][1])
            for dx, dy in path[1:]:
                change = level(x - 3 - dx, y - 3 - dy) - reference
                n = abs(change) // 4096
                reference += n * 4096 if change > 0 else -n * 4096
                on, off = (on + n, off) if change > 0 else (on, off + n)
            counts.append([on, off])
    return counts


def test_the_events_are_those_of_the_definition() -> None:
    draws = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (1, 5, 5), np.uint8)
    image = torch.from_numpy(draws)
    (events,) = saccade(image, threshold=0.2345, saccade_us=20_000)
    frames = events_to_frames(events, 1, (2, 11, 11))[0]
    wanted = torch.tensor(watched_pixel_by_pixel(image, 0.2345, 10)).float().reshape(11, 11, 2)
    assert torch.equal(frames[1], wanted[..., 0])
    assert torch.equal(frames[0], wanted[..., 1])


def test_every_pixel_gets_as_bright_as_it_gets_dark() -> None:
    # the camera ends where it began, so the level does too
    for events in saccade(load_images().train.images[:20]):
        off, on = events_to_frames(events, 1, (2, 34, 34))[0]
        assert torch.equal(off, on)
        assert on.sum() > 500


def test_an_even_image_without_an_edge_in_sight_sends_nothing() -> None:
    assert len(saccade(torch.zeros(1, 9, 9, dtype=torch.uint8))[0].t_us) == 0
    (events,) = saccade(torch.full((1, 20, 20), 200, dtype=torch.uint8))
    inside = (events.x >= 6) & (events.x < 20) & (events.y >= 6) & (events.y < 20)
    assert not inside.any()


def centre(events: Events, polarity: int, axis: str) -> float:
    return getattr(events, axis)[events.p == polarity].float().mean().item()


@pytest.mark.parametrize(
    ("number", "axis", "ahead"), [(0, "x", 1), (0, "y", -1), (1, "x", 1), (1, "y", 1), (2, "x", -1)]
)
def test_a_bright_square_is_on_ahead_and_off_behind(number: int, axis: str, ahead: int) -> None:
    (events,) = saccade(square())
    within = (events.t_us > number * 100_000) & (events.t_us <= (number + 1) * 100_000)
    part = Events(*(column[within] for column in events))
    assert ahead * (centre(part, 1, axis) - centre(part, 0, axis)) > 1


def test_the_last_saccade_is_level() -> None:
    (events,) = saccade(square())
    last = events.t_us > 200_000
    # at its end the square lies at rows 4 to 7, moved by reach and by 3 down: 10 to 13
    assert events.y[last].unique().tolist() == [10, 11, 12, 13]


def test_times_are_sorted_and_within_the_saccades() -> None:
    for step_us in (500, 2000, 20_000):
        for events in saccade(load_images().train.images[:3], step_us=step_us):
            assert (events.t_us.diff() >= 0).all()
            assert events.t_us.min() > 0
            assert events.t_us.max() <= 300_000


def test_an_image_sends_the_same_in_any_batch() -> None:
    images = load_images().train.images[:60]  # more than are watched at once
    together = saccade(images)
    for i in (0, 49, 50, 59):
        (alone,) = saccade(images[i : i + 1])
        assert all(torch.equal(a, b) for a, b in zip(together[i], alone, strict=True))


def test_an_edge_makes_as_many_events_as_thresholds_fit_into_it() -> None:
    (events,) = saccade(square(), threshold=0.3)  # ln(1.1 / 0.1) / 0.3 = 7.99
    # a pixel in the square's path: dark, bright in the first saccade, dark again
    at = (events.x == 10) & (events.y == 10)
    first_on = events.p[at].tolist().index(0)
    assert first_on == 7


def test_linear_pixels_answer_to_the_difference_and_logarithmic_ones_to_the_ratio() -> None:
    def events_of(brightness: int, **how: bool | float) -> int:
        return len(saccade(square(brightness=brightness), **how)[0].t_us)

    dim, bright = (events_of(b, log=False, threshold=0.0999) for b in (51, 255))
    assert bright > 4 * dim
    assert events_of(255) < 4 * events_of(51)


def test_grey_in_three_channels_is_grey() -> None:
    images = load_images().train.images[:2]
    colour = images[:, None].expand(-1, 3, -1, -1)
    for a, b in zip(saccade(images), saccade(colour), strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("images", "how", "error", "text"),
    [
        (square().float(), {}, TypeError, "float32, expected uint8"),
        (square()[0], {}, ValueError, r"shape \(12, 12\), expected \(n, h, w\)"),
        (square()[None], {}, ValueError, r"shape \(1, 1, 12, 12\)"),
        (square()[:0], {}, ValueError, "n >= 1"),
        (square(), {"threshold": 0.0}, ValueError, "threshold is 0.0, expected >= 0.0001"),
        (square(), {"threshold": math.nan}, ValueError, "threshold is nan"),
        (square(), {"reach": 0}, ValueError, "reach is 0"),
        (square(), {"step_us": 0}, ValueError, "step_us 0"),
        (square(), {"step_us": 3000}, ValueError, "100000 and step_us 3000"),
        (square(), {"saccade_us": 0}, ValueError, "saccade_us is 0"),
    ],
)
def test_what_cannot_be_watched_is_named(
    images: Tensor, how: dict[str, float], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        saccade(images, **how)  # type: ignore[arg-type]


def test_the_data_set_counts_the_events_of_its_images() -> None:
    train, test = load_data("saccade", num_timesteps=3)
    assert (len(train), len(test), train.num_classes) == (6000, 2000, 10)
    images = load_images()
    for data, split in ((train, images.train), (test, images.test)):
        (events,) = saccade(split.images[7:8])
        frames, label = data[7]
        assert label == split.labels[7]
        for k in range(3):  # a frame a saccade
            within = (events.t_us > k * 100_000) & (events.t_us <= (k + 1) * 100_000)
            part = Events(*(column[within] for column in events))
            assert torch.equal(frames[k], events_to_frames(part, 1, (2, 34, 34))[0])


def test_two_workers_give_what_none_gives() -> None:
    test = torch.utils.data.Subset(load_data("saccade").test, range(6))
    shared = torch.cat([f for f, _ in DataLoader(test, batch_size=2, num_workers=2)])
    assert torch.equal(shared, torch.cat([f for f, _ in DataLoader(test, batch_size=3)]))
