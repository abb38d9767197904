"""PyTorch's layers, counted by their functions and as scripts by the operators below: the same, or refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.synops.witness.functional import spikes, totals

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Monitor. no spiking layer was recognised"
)
TOKENS = torch.tensor([[1, 2, 3], [4, 0, 2]])
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    "Linear": (lambda: nn.Linear(6, 3), (spikes(4, 6),)),
    "Linear of a sequence": (lambda: nn.Linear(6, 3), (spikes(2, 4, 6),)),
    "Bilinear": (lambda: nn.Bilinear(6, 5, 3), (spikes(4, 6), spikes(4, 5, seed=1))),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3, 2, 1), (spikes(2, 2, 9),)),
    "Conv2d": (lambda: nn.Conv2d(2, 4, 3, 1, "same", groups=2), (spikes(2, 2, 6, 6),)),
    "Conv3d": (lambda: nn.Conv3d(1, 2, 2, dilation=2), (spikes(1, 1, 5, 5, 5),)),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(2, 3, 3, 2, 1, 1), (spikes(2, 2, 5),)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 4, 3, groups=2), (spikes(2, 2, 4, 4),)),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(1, 2, 2), (spikes(1, 1, 3, 3, 3),)),
    "one sample": (lambda: nn.Conv2d(2, 3, 3), (spikes(2, 6, 6),)),
    "circular": (
        lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
        (spikes(2, 2, 5, 5),),
    ),
    "Embedding": (lambda: nn.Embedding(6, 3), (TOKENS,)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(6, 3, mode="sum"), (TOKENS,)),
    "RNNCell": (lambda: nn.RNNCell(6, 3), (spikes(4, 6),)),
    "GRUCell": (lambda: nn.GRUCell(6, 3), (spikes(4, 6),)),
    "LSTMCell": (lambda: nn.LSTMCell(6, 3), (spikes(4, 6),)),
    "GRU": (lambda: nn.GRU(6, 3), (spikes(5, 2, 6),)),
    "LSTM": (lambda: nn.LSTM(6, 3), (spikes(5, 2, 6),)),
    "two layers": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.Hardtanh(), nn.Linear(5, 3)),
        (spikes(4, 6),),
    ),
    "pooled": (
        lambda: nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 3, 3), nn.Flatten()),
        (spikes(2, 2, 8, 8),),
    ),
    "attention": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(),
        (spikes(2, 5, 8),),
    ),
}


class Holds(nn.Module):
    def __init__(self, script: Any) -> None:
        super().__init__()
        self.script = script

    def forward(self, *inputs: Tensor) -> Any:
        return self.script(*inputs)


@pytest.mark.parametrize("name", LAYERS)
def test_a_script_counts_as_its_layer(name: str) -> None:
    build, inputs = LAYERS[name]
    layer = build()
    try:
        script = torch.jit.script(layer)
        script(*inputs)
    except Exception as error:
        pytest.skip(f"PyTorch makes no script of it that runs: {type(error).__name__}")
    expected = totals(Holds(layer), *inputs)
    assert expected[0] > 0
    for passes in (1, 3):
        try:
            found = totals(Holds(script), *inputs, passes=passes)
        except NotImplementedError as error:
            assert str(error).startswith("Monitor: ")  # noqa: PT017
        else:
            assert found == pytest.approx(expected, abs=0.02)
