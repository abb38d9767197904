"""A state carries the graph of the call that left it; going back through it twice must explain itself."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.activation import MembraneReset, SingleSpike
from picojoule.layers import IAF, LIF, ExpLeak, IAFSqueeze, LIFSqueeze, StatefulLayer

B, T, N = 2, 6, 3

# what is trained, and the layers that the message may name
MODELS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "iaf": (lambda: nn.Sequential(nn.Linear(N, N), IAF()), "IAF"),
    "iaf_hard_reset": (
        lambda: nn.Sequential(
            nn.Linear(N, N), IAF(spike_fn=SingleSpike, reset_fn=MembraneReset(), tau_syn=3.0)
        ),
        "IAF",
    ),
    "lif_recording": (lambda: LIF(4.0, tau_syn=3.0, norm_input=False, record_states=True), "LIF"),
    "exp_leak": (lambda: ExpLeak(4.0), "ExpLeak"),
    "two_squeezed": (
        lambda: nn.Sequential(
            nn.Linear(N, N),
            IAFSqueeze(batch_size=B),
            nn.Linear(N, N),
            LIFSqueeze(batch_size=B, tau_mem=4.0, norm_input=False),
        ),
        "(IAF|LIF)Squeeze",
    ),
}


def data(seed: int, steps: int = T) -> Tensor:
    return 2 * torch.randn(B, steps, N, generator=torch.Generator().manual_seed(seed))


def run(model: nn.Module, x: Tensor) -> Tensor:
    squeezed = any(isinstance(layer, IAFSqueeze) for layer in model.modules())
    return model(x.flatten(0, 1)).unflatten(0, x.shape[:2]) if squeezed else model(x)


def stateful(model: nn.Module) -> list[StatefulLayer]:
    return [layer for layer in model.modules() if isinstance(layer, StatefulLayer)]


def gradients(model: nn.Module) -> list[Tensor]:
    found = [p.grad for p in model.parameters() if p.requires_grad]
    assert found
    assert all(g is not None and g.any() for g in found)
    return found


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, str]:
    build, named = MODELS[request.param]
    return build(), named


def test_a_second_backward_without_a_reset_says_which_layer_and_what_to_do(
    case: tuple[nn.Module, str],
) -> None:
    model, named = case
    run(model, data(0)).sum().backward()
    output = run(model, data(1))
    with pytest.raises(RuntimeError, match=rf"^{named}: .*reset_states.*zero_grad.*retain_graph"):
        output.sum().backward()


def test_after_reset_states_it_equals_the_second_pass_alone(case: tuple[nn.Module, str]) -> None:
    model, _ = case
    run(model, data(1)).sum().backward()
    alone = [g.clone() for g in gradients(model)]
    for seed in (0, 1):
        model.zero_grad()
        picojoule.reset_states(model)
        run(model, data(seed)).sum().backward()
    assert all(torch.equal(a, g) for a, g in zip(alone, gradients(model), strict=True))


def test_zero_grad_between_keeps_the_state_and_cuts_the_gradient(
    case: tuple[nn.Module, str],
) -> None:
    model, _ = case
    first = data(0).requires_grad_()
    run(model, first).sum().backward()
    picojoule.zero_grad(model)
    model.zero_grad()
    twin = copy.deepcopy(model)  # copies carry the state's values alone
    assert all(layer.v_mem.any() for layer in stateful(model))
    output = run(model, data(1))
    assert torch.autograd.grad(output.sum(), first, retain_graph=True, allow_unused=True) == (None,)
    output.sum().backward()
    run(twin, data(1)).sum().backward()
    assert all(torch.equal(g, w) for g, w in zip(gradients(model), gradients(twin), strict=True))


def test_retaining_the_first_graph_gives_the_gradient_of_the_whole(
    case: tuple[nn.Module, str],
) -> None:
    model, _ = case
    weights = torch.randn(B, 2 * T, N)
    whole = torch.cat([data(0), data(1)], dim=1).requires_grad_()
    (run(model, whole) * weights).sum().backward()
    want = [g.clone() for g in gradients(model)]

    model.zero_grad()
    picojoule.reset_states(model)
    halves = whole.detach().clone().requires_grad_()
    first, second = halves.split(T, dim=1)
    (run(model, first) * weights[:, :T]).sum().backward(retain_graph=True)
    (run(model, second) * weights[:, T:]).sum().backward()
    torch.testing.assert_close(halves.grad, whole.grad)
    for got, expected in zip(gradients(model), want, strict=True):
        torch.testing.assert_close(got, expected)


def test_one_backward_over_several_calls_equals_one_over_the_whole(
    case: tuple[nn.Module, str],
) -> None:
    model, _ = case
    whole = data(0).requires_grad_()
    run(model, whole).square().sum().backward()
    picojoule.reset_states(model)
    parts = data(0).requires_grad_()
    torch.cat([run(model, x) for x in parts.split(2, dim=1)], dim=1).square().sum().backward()
    torch.testing.assert_close(parts.grad, whole.grad)


def test_a_second_backward_through_the_same_call_is_explained_too(
    case: tuple[nn.Module, str],
) -> None:
    model, named = case
    output = run(model, data(0))
    output.sum().backward()
    with pytest.raises(RuntimeError, match=named):
        output.sum().backward()


def test_the_output_may_be_changed_in_place(case: tuple[nn.Module, str]) -> None:
    model, _ = case
    run(model, data(0)).add(1).square().sum().backward()
    want = [g.clone() for g in gradients(model)]
    model.zero_grad()
    picojoule.reset_states(model)
    output = run(model, data(0))
    output += 1
    output.square().sum().backward()
    assert all(torch.equal(w, g) for w, g in zip(want, gradients(model), strict=True))


def test_the_state_may_be_changed_in_place_between_calls(case: tuple[nn.Module, str]) -> None:
    model, _ = case
    output = run(model, data(0))
    with torch.no_grad():
        for layer in stateful(model):
            layer.v_mem.zero_()
    output.sum().backward()
    gradients(model)


def test_a_loss_on_the_recordings_alone_reaches_the_parameters() -> None:
    layer = LIF(4.0, tau_syn=3.0, norm_input=False, record_states=True)
    layer(data(0))
    sum(x.square().sum() for x in layer.recordings.values()).backward()
    assert layer.tau_mem.grad
    assert layer.tau_syn.grad
    layer(data(1))
    with pytest.raises(RuntimeError, match=r"^LIF: .*reset_states"):
        layer.recordings["v_mem"].sum().backward()


def test_a_state_left_by_a_pass_without_gradients_needs_no_reset(
    case: tuple[nn.Module, str],
) -> None:
    model, _ = case
    with torch.no_grad():
        run(model, data(0))
    run(model, data(1)).sum().backward()
    gradients(model)


def test_where_nothing_is_trained_there_is_no_graph() -> None:
    layer = IAF(record_states=True)
    outputs = [layer(data(0)), layer(data(1)), layer.v_mem, *layer.recordings.values()]
    assert [x.grad_fn for x in outputs] == [None] * 4
