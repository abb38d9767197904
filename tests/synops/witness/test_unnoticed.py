"""The witness changes nothing, looks where it has not looked, and can be switched off."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import Monitor
from picojoule.synops.watch.witness import Witness
from tests.python import python
from tests.synops.witness.functional import Calls, spikes, totals

pytestmark = pytest.mark.filterwarnings("ignore:Monitor. no spiking layer was recognised")
X = spikes(2, 5, 16)
PADDED = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])


def layer(**options: Any) -> nn.TransformerEncoderLayer:
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **options).eval()


FUSED: dict[str, Any] = {
    "attention": lambda: (
        nn.MultiheadAttention(16, 4, batch_first=True).eval(),
        lambda m: m(X, X, X, need_weights=False)[0],
    ),
    "layer": lambda: (layer(), lambda m: m(X)),
    "layer, normalised first": lambda: (layer(norm_first=True), lambda m: m(X)),
    "encoder": lambda: (nn.TransformerEncoder(layer(), 2), lambda m: m(X)),
    "encoder, padded": lambda: (
        nn.TransformerEncoder(layer(), 2),
        lambda m: m(X, src_key_padding_mask=PADDED),
    ),
}


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_the_fused_path_for_inference_is_kept(name: str) -> None:
    model, call = FUSED[name]()
    with torch.no_grad():
        plain = call(model)
        with Monitor(model):
            watched = call(model)
    assert torch.equal(plain, watched)


@pytest.mark.parametrize("name", [name for name in FUSED if "padded" not in name])
def test_the_fused_path_counts_as_the_plain_one(name: str) -> None:
    model, call = FUSED[name]()
    found = []
    for grad in (True, False):
        with torch.set_grad_enabled(grad), Monitor(model) as monitor:
            call(model)
        found.append((monitor.synops.total.item(), monitor.macs.total.item()))
    assert found[0] == found[1]
    assert found[0][1] > 0


def test_what_is_padded_is_not_counted_where_it_is_not_computed() -> None:
    """Three tokens of five in one of two samples: projections in three parts of 16 x 16 each."""
    model = nn.TransformerEncoder(layer(), 1)
    with torch.no_grad(), Monitor(model) as monitor:
        model(X, src_key_padding_mask=PADDED)
    heard = X[~PADDED].sum().item()
    assert monitor.synops.per_sample.total.item() * 2 == heard * 3 * 16
    tokens, pairs = 8, 5 * 5 + 3 * 3
    dense = tokens * 16 * 16 + 2 * pairs * 16 + 2 * tokens * 16 * 32
    assert monitor.macs.per_sample.total.item() * 2 == dense


def looked_at(model: nn.Module, *inputs: Tensor, **options: Any) -> list[int]:
    """How many operators the witness saw in each of several passes."""
    seen: list[int] = []
    dispatch = Witness.__torch_dispatch__

    def counting(self: Witness, *call: Any) -> Any:
        seen[-1] += 1
        return dispatch(self, *call)

    with pytest.MonkeyPatch.context() as patch, Monitor(model, **options):
        patch.setattr(Witness, "__torch_dispatch__", counting)
        for x in inputs:
            seen.append(0)
            model(x)
    return seen


def test_it_looks_once_at_what_it_has_seen() -> None:
    model = nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    first, again, other_shape, again_other = looked_at(
        model, spikes(4, 6), spikes(4, 6, seed=1), spikes(2, 6), spikes(2, 6)
    )
    assert first > 0
    assert again == 0
    assert other_shape > 0
    assert again_other == 0


def test_the_switch() -> None:
    model = nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    assert min(looked_at(model, X[0, :, :6], X[1, :, :6], witness="always")) > 0
    assert looked_at(model, X[0, :, :6], X[1, :, :6], witness="off") == [0, 0]
    with pytest.raises(ValueError, match="witness is 'never'"):
        Monitor(model, witness="never")  # type: ignore[arg-type]


def test_a_call_that_was_not_made_before_is_looked_into() -> None:
    """A branch that later passes take, and that hides a product."""

    def sometimes(module: nn.Module, x: Tensor) -> Tensor:
        plain = F.relu(x)
        return torch.ops.aten.einsum("bi,oi->bo", [x, module.ws[0]]) if x[0, 0] > 0 else plain

    model = Calls(sometimes, torch.rand(3, 6))
    quiet, loud = spikes(4, 6).clone(), spikes(4, 6).clone()
    quiet[0, 0], loud[0, 0] = 0, 1
    with Monitor(model, witness="auto", ignore=()) as monitor:
        monitor.reset()
        model(loud)
        model(quiet)
        model(loud)
    assert monitor.synops.per_sample.total.item() * 4 == 3 * loud.sum().item()
    assert totals(model, loud, passes=3)[0] == 3 * loud.sum().item()


def test_outputs_gradients_and_random_numbers_are_the_same() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
    x = spikes(4, 6)

    def run(watched: bool) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        model.zero_grad()
        if watched:
            with Monitor(model, witness="always"):
                y = model(x)
        else:
            y = model(x)
        y.square().sum().backward()
        return y, torch.rand(3), *(p.grad.clone() for p in model.parameters())

    assert all(torch.equal(a, b) for a, b in zip(run(False), run(True), strict=True))


def test_it_does_not_import_the_compiler() -> None:
    code = (
        "import sys, torch, picojoule\n"
        "model = torch.nn.Sequential(torch.nn.Linear(3, 4))\n"
        "with picojoule.Monitor(model, witness='always'): model(torch.ones(2, 3))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert python("-c", code).returncode == 0
