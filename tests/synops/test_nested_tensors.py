"""Tensors of samples of several lengths, which nobody can count, are an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import Monitor

LAYOUTS = [torch.strided, torch.jagged]
pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:global")


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.4).float()


class Inside(nn.Module):
    def __init__(
        self,
        layout: torch.layout,
        product: Callable[[Tensor, Tensor], Tensor],
        unit: float = 1.0,
    ) -> None:
        super().__init__()
        self.unit = unit
        self.weight, self.layout, self.product = nn.Parameter(torch.rand(7, 6)), layout, product

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.unit
        nested = torch.nested.as_nested_tensor([x[0], x[1, :3]], layout=self.layout)
        return self.product(nested, self.weight)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("options", [{}, {"inputs": "spikes"}, {"samples": 2, "num_timesteps": 1}])
def test_a_nested_input_is_refused_by_name(
    layout: torch.layout, options: dict[str, object]
) -> None:
    model, x = (
        nn.Linear(6, 7),
        torch.nested.nested_tensor([spikes(5, 6), spikes(3, 6)], layout=layout),
    )
    before = model(x)
    with (
        Monitor(model, **options),  # type: ignore[arg-type]
        pytest.raises(NotImplementedError, match=r"nested tensor.*to_padded_tensor.*pack_sequence"),
    ):
        model(x)
    assert torch.equal(model(x).to_padded_tensor(0.0), before.to_padded_tensor(0.0))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("product", [F.linear, lambda x, w: x @ w.t(), lambda x, w: x * w[0]])
def test_one_that_the_model_makes_is_refused_where_it_meets_weights(
    layout: torch.layout, product: Callable[[Tensor, Tensor], Tensor]
) -> None:
    model = Inside(layout, product)
    with (
        Monitor(model),
        pytest.raises(NotImplementedError, match=r"the model itself.*nested tensor"),
    ):
        model(spikes(2, 5, 6))


def test_padded_spikes_count_as_the_error_says() -> None:
    given, model = [spikes(5, 6), spikes(3, 6)], nn.Linear(6, 7)
    arrived = sum(float(x.sum()) for x in given) * 7
    padded = torch.nested.nested_tensor(given).to_padded_tensor(0.0)
    with Monitor(model, samples=2, num_timesteps=5) as monitor:
        model(padded)
    assert monitor.synops.per_sample.total.item() * 2 == arrived


@pytest.mark.parametrize("unit", [1.0, 0.3])
@pytest.mark.parametrize("pad", [Tensor.to_padded_tensor, torch.nested.to_padded_tensor])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_spikes_that_the_model_nests_and_pads_are_spikes(
    layout: torch.layout, pad: Callable[[Tensor, float], Tensor], unit: float
) -> None:
    model, x = Inside(layout, lambda nested, w: pad(nested, 0.0) @ w.t(), unit), spikes(2, 5, 6)
    with Monitor(model, samples=2, num_timesteps=5) as monitor:
        model(x)
    assert monitor.macs.total == 0
    assert monitor.synops.per_sample.total.item() * 2 == float(x[0].sum() + x[1, :3].sum()) * 7


def test_a_transformer_that_nests_by_itself_counts_what_is_no_padding() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).eval()
    absent = torch.arange(5) >= torch.tensor([[3], [5]])
    with torch.no_grad(), Monitor(model) as monitor:
        model(torch.rand(2, 5, 16), src_key_padding_mask=absent)
    tokens, pairs = 3 + 5, 3 * 3 + 5 * 5
    expected = 2 * (tokens * (4 * 16 * 16 + 2 * 16 * 32) + 2 * pairs * 16)
    assert monitor.macs.per_sample.total.item() * 2 == expected
