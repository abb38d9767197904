"""`torch.utils.checkpoint` runs a block again in the backward pass: from the states that the first run began with, or not at all."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import picojoule
from picojoule.layers import ALIF, IAF, LIF, IAFSqueeze, LIFRecurrent, SpikingMaxPooling2dLayer

BATCH, STEPS, WIDTH = 2, 6, 8


def recurrent() -> nn.Module:
    return LIFRecurrent(5.0, rec_connect=nn.Linear(WIDTH, WIDTH))


NEURONS: dict[str, Callable[[], nn.Module]] = {
    "IAF": lambda: IAF(0.2),
    "LIF": lambda: LIF(5.0, tau_syn=3.0, spike_threshold=0.1),
    "ALIF": lambda: ALIF(5.0, 5.0, spike_threshold=0.1),
    "recurrent": recurrent,
}


def block(kind: str) -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, WIDTH), NEURONS[kind](), nn.Linear(WIDTH, 3)).double()
    return model, torch.rand(BATCH, STEPS, 5, dtype=torch.float64)


def again(function: Callable[[Tensor], Tensor], *, reentrant: bool) -> Callable[[Tensor], Tensor]:
    return lambda x: checkpoint(function, x.requires_grad_(reentrant), use_reentrant=reentrant)


def gradients(model: nn.Module, call: Callable[[Tensor], Tensor], x: Tensor) -> list[Tensor]:
    model.zero_grad()
    out = call(x)
    (out * torch.arange(out.shape[1]).reshape(-1, 1)).square().sum().backward()
    states = [s for _, layer in picojoule.layers.stateful_layers(model) for s in layer.states().values()]  # fmt: skip
    return [p.grad for p in model.parameters() if p.grad is not None] + [s.detach() for s in states]


def assert_equal(first: list[Tensor], second: list[Tensor]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("kind", NEURONS)
def test_a_block_that_began_at_rest(kind: str, reentrant: bool) -> None:
    model, x = block(kind)
    expected = gradients(model, model, x)
    picojoule.reset_states(model)
    for _ in range(2):
        found = gradients(model, again(model, reentrant=reentrant), x)
        assert_equal(expected, found)
        picojoule.reset_states(model)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("kind", NEURONS)
def test_a_block_that_resets_itself_and_goes_step_by_step(kind: str, reentrant: bool) -> None:
    model, x = block(kind)

    def steps(x: Tensor) -> Tensor:
        picojoule.reset_states(model)
        return torch.cat([model(x[:, t : t + 2]) for t in range(0, STEPS, 2)], 1)

    expected = gradients(model, steps, x)
    assert_equal(expected, gradients(model, again(steps, reentrant=reentrant), x))


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("kind", NEURONS)
def test_a_block_that_began_from_states_is_refused(kind: str, reentrant: bool) -> None:
    model, x = block(kind)
    with torch.no_grad():
        model(x)
    with pytest.raises(RuntimeError, match=r"runs again in a backward pass .*checkpoint_time"):
        gradients(model, again(model, reentrant=reentrant), x)
    picojoule.reset_states(model)
    assert_equal(gradients(model, model, x), _at_rest(model, x, reentrant=reentrant))


def _at_rest(model: nn.Module, x: Tensor, *, reentrant: bool) -> list[Tensor]:
    picojoule.reset_states(model)
    return gradients(model, again(model, reentrant=reentrant), x)


def test_two_blocks_in_one_backward_pass() -> None:
    model, x = block("IAF")

    def both(call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            parts = []
            for part in (x, x.flip(1)):
                picojoule.reset_states(model)
                parts.append(call(part))
            return torch.cat(parts, 1)

        return run

    expected = gradients(model, both(model), x)
    assert_equal(expected, gradients(model, both(again(model, reentrant=False)), x))


def test_layers_with_batch_and_time_in_one_axis_and_a_spiking_maximum() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        picojoule.layers.FlattenTime(), nn.Conv2d(1, 2, 3), IAFSqueeze(batch_size=BATCH, spike_threshold=0.2),
        picojoule.layers.UnflattenTime(BATCH), SpikingMaxPooling2dLayer((2, 2)), nn.Flatten(2), nn.Linear(8, 3),
    )  # fmt: skip
    x = torch.rand(BATCH, STEPS, 1, 6, 6)
    expected = gradients(model, model, x)
    picojoule.reset_states(model)
    assert_equal(expected, gradients(model, again(model, reentrant=False), x))
