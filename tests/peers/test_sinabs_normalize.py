"""sinabs' weight normalisation is right without biases: the same weights come out."""

import copy
import warnings

import pytest
import torch
from torch import nn

from picojoule.convert import normalize_weights

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("sinabs")
    from sinabs.utils import normalize_weights as their_normalize_weights


@pytest.mark.parametrize("percentile", [90, 99, 100])
def test_without_biases_sinabs_gives_the_same_weights(percentile: float) -> None:
    ours = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 3, 3, bias=False), nn.ReLU()
    )  # fmt: skip
    theirs, images = copy.deepcopy(ours), torch.rand(5, 1, 10, 10)
    normalize_weights(ours, images, ["1", "4"], ["0", "3"], percentile)
    their_normalize_weights(theirs, images, ["1", "4"], ["0", "3"], percentile)
    for our, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(our, their, rtol=1e-5, atol=0)
