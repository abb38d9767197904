"""Rate coding: brightness becomes a spike probability."""

import pytest
import torch

from picojoule.data import rate_code

GREY = torch.full((4, 6, 5), 51, dtype=torch.uint8)


def test_the_rate_is_the_brightness_times_the_highest_rate() -> None:
    spikes = rate_code(GREY, 500, max_rate=0.5, generator=torch.Generator().manual_seed(0))
    # 51 / 255 * 0.5 = 0.1 over 60,000 draws: five standard errors are 0.006
    assert spikes.shape == (4, 500, 1, 6, 5)
    assert abs(spikes.mean().item() - 0.1) < 0.006


def test_spikes_are_0_or_1_black_never_fires_white_always() -> None:
    ends = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    assert rate_code(ends, 50).sum(1).flatten().tolist() == [0.0, 50.0]
    assert set(rate_code(GREY, 50).unique().tolist()) == {0.0, 1.0}


def test_the_same_generator_gives_the_same_spikes() -> None:
    draws = [rate_code(GREY, 10, generator=torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(*draws)


def test_no_images_give_no_spikes() -> None:
    assert rate_code(GREY[:0], 3).shape == (0, 3, 1, 6, 5)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((GREY.float(), 5), TypeError, "float32, expected uint8"),
        ((GREY[0], 5), ValueError, r"shape \(6, 5\), expected \(n, h, w\)"),
        ((GREY, 0), ValueError, "num_timesteps is 0"),
        ((GREY, 5, 0.0), ValueError, "max_rate is 0.0"),
        ((GREY, 5, 1.5), ValueError, "max_rate is 1.5"),
    ],
)
def test_what_cannot_be_coded_is_named(
    arguments: tuple[object, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        rate_code(*arguments)  # type: ignore[arg-type]
