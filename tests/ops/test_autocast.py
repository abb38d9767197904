"""Networks under autocast: products in bfloat16, neurons in float32 through the kernels."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule.layers import LIF, StatefulLayer
from picojoule.ops.cpu import op

STEPS = 12


def network(impl: str) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(8, 40), LIF(tau_mem=5.0, norm_input=False),
        nn.Linear(40, 2), LIF(tau_mem=5.0, norm_input=False),
    )  # fmt: skip
    for layer in model.modules():
        if isinstance(layer, StatefulLayer):
            layer.impl = impl
    return model


def batch(seed: int) -> tuple[Tensor, Tensor]:
    """Spikes on one half of the channels or on the other."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (32,), generator=generator)
    rates = torch.tensor([[0.6] * 4 + [0.2] * 4, [0.2] * 4 + [0.6] * 4])[labels]
    spikes = torch.rand(32, STEPS, 8, generator=generator) < rates.unsqueeze(1)
    return spikes.float(), labels


def loss_of(model: nn.Module, seed: int) -> tuple[Tensor, Tensor]:
    """Output spikes and loss."""
    spikes, labels = batch(seed)
    picojoule.reset_states(model)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(spikes)
        return output, F.cross_entropy(output.float().mean(1), labels)


@pytest.fixture
def kernel_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    inner = op._run

    def counted(plan: object, which: str, *rest: object) -> None:
        calls.append(which)
        inner(plan, which, *rest)

    monkeypatch.setattr(op, "_run", counted)
    return calls


def test_it_trains_through_the_kernels(kernel_calls: list[str]) -> None:
    model = network("auto")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for step in range(30):
        optimizer.zero_grad()
        output, loss = loss_of(model, step)
        assert output.dtype == torch.bfloat16
        assert model[-1].v_mem.dtype == torch.float32
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert kernel_calls == ["forward", "forward", "backward", "backward"] * 30
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_spikes_and_gradients_are_those_of_the_reference() -> None:
    model = network("cpu")
    reference = copy.deepcopy(model)
    for layer in (reference[1], reference[3]):
        layer.impl = "reference"
    (one, own_loss), (other, other_loss) = loss_of(model, 0), loss_of(reference, 0)
    assert one.any()
    assert torch.equal(one, other)
    assert torch.equal(model[-1].v_mem, reference[-1].v_mem)
    own_loss.backward()
    other_loss.backward()
    for name in ("0.weight", "2.weight"):
        own, want = (m.get_parameter(name).grad for m in (model, reference))
        assert want.any()
        # a gradient that goes on in bfloat16 may round to the other neighbour
        torch.testing.assert_close(own, want, rtol=2**-7, atol=2**-7 * want.abs().max().item())
