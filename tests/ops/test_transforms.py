"""Forward mode and the transforms of torch.func: the derivatives of autograd, or a refusal; never a 0 for want of a rule."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

from picojoule.activation import MembraneReset, MultiSpike, SingleExponential
from picojoule.layers import IAF, LIF, SpikingMaxPooling2dLayer, SumPool2d
from picojoule.layers.quantized import NeuromorphicReLU, QuantizeLayer, StochasticRounding
from picojoule.ops import ALIFState, LIFState, alif, lif
from tests.ops.fused import ADAPTS, FEW, arguments
from tests.ops.fused import LIF as WHOLE

# PyTorch's own, when it first needs the tangents of some operators
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning"),
]

B, T, N = 2, 6, 3
# beside kernels that other tests need, too; the reference's gradients are cheap
CASES = [(WHOLE, "cpu"), *((arguments(configuration), "reference") for configuration in FEW[:4])]
TRANSFORMS: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]] = {
    "grad": lambda f, x: grad(f)(x),
    "jacrev": lambda f, x: jacrev(f)(x),
    "jacfwd": lambda f, x: jacfwd(f)(x),
    "vjp": lambda f, x: vjp(f, x)[1](torch.tensor(1.0))[0],
    "vmap of grad": lambda f, x: vmap(grad(f))(x[None])[0],
    "grad of vmap": lambda f, x: grad(lambda y: vmap(f)(y[None]).sum())(x),
    "vmap of jacfwd": lambda f, x: vmap(jacfwd(f))(x[None])[0],
}


def current(*shape: int, seed: int = 0) -> Tensor:
    return 1.5 * torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def alpha_and_others(given: dict[str, Any]) -> dict[str, Tensor]:
    """What of a neuron is a number that may be trained, as one tensor for each neuron."""
    names = ("alpha_mem", "alpha_syn", "threshold", "min_v_mem", "adapt_scale", "alpha_adapt")
    spread = torch.linspace(0.9, 1.0, N)
    return {name: given[name] * spread for name in names if given.get(name) is not None}


def tangents_agree(
    function: Callable[..., Tensor], given: tuple[Tensor, ...], impl: str = "reference"
) -> None:
    """<u, J v> by forward mode equals <J^T u, v> by autograd, of each argument alone."""
    leaves = [x.clone().requires_grad_() for x in given]
    output = function(*leaves, impl=impl)
    u = torch.rand(output.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad((u * output).sum(), leaves, allow_unused=True)
    for k, gradient in enumerate(gradients):
        v = [torch.zeros_like(x) for x in given]
        v[k] = torch.rand(given[k].shape, generator=torch.Generator().manual_seed(2))
        _, tangent = jvp(lambda *x: function(*x, impl="auto"), given, tuple(v))
        want = 0.0 if gradient is None else (gradient * v[k]).sum().item()
        assert (u * tangent).sum().item() == pytest.approx(want, rel=1e-4, abs=1e-4), k


@pytest.mark.parametrize(("given", "impl"), CASES)
def test_forward_mode_through_lif_equals_autograd(given: dict[str, Any], impl: str) -> None:
    parameters = alpha_and_others(given)

    def spikes(x: Tensor, v_mem: Tensor, i_syn: Tensor, *values: Tensor, impl: str) -> Tensor:
        state = LIFState(v_mem, None if given["alpha_syn"] is None else i_syn)
        own = {**given, **dict(zip(parameters, values, strict=True))}
        out = lif(x, state, impl=impl, **own)
        return torch.cat([out.spikes.flatten(), out.state.v_mem.flatten()])

    states = current(B, N, seed=3), current(B, N, seed=4)
    tangents_agree(spikes, (current(B, T, N), *states, *parameters.values()), impl)


@pytest.mark.parametrize(("given", "impl"), CASES[:2])
def test_forward_mode_through_alif_equals_autograd(given: dict[str, Any], impl: str) -> None:
    given = {**given, **ADAPTS}
    parameters = alpha_and_others(given)

    def spikes(x: Tensor, v_mem: Tensor, b: Tensor, *values: Tensor, impl: str) -> Tensor:
        own = {**given, **dict(zip(parameters, values, strict=True))}
        out = alif(
            x, ALIFState(v_mem, b, None if own["alpha_syn"] is None else b), impl=impl, **own
        )
        return torch.cat([out.spikes.flatten(), out.state.b.flatten()])

    states = current(B, N, seed=3), current(B, N, seed=4)
    tangents_agree(spikes, (current(B, T, N), *states, *parameters.values()), impl)


def test_forward_mode_through_a_recurrent_linear_equals_autograd() -> None:
    def spikes(x: Tensor, weight: Tensor, bias: Tensor, impl: str) -> Tensor:
        connect = nn.Linear(N, N)
        parameters = {"weight": weight, "bias": bias}
        feed = lambda s: functional_call(connect, parameters, (s,))  # noqa: E731
        return lif(x, alpha_mem=0.9, connect=feed, impl=impl).spikes

    tangents_agree(spikes, (current(B, T, N), current(N, N) - 0.7, current(N)))


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_every_transform_gives_autograds_gradient(transform: Any, impl: str) -> None:
    def loss(x: Tensor) -> Tensor:
        return lif(x, alpha_mem=0.9, alpha_syn=0.8, impl=impl).spikes.square().sum()

    x = current(B, T, N)
    want = torch.autograd.functional.jacobian(loss, x)
    assert want.any()
    torch.testing.assert_close(transform(loss, x), want)


def test_dual_numbers_and_linearize_give_autograds_gradient() -> None:
    x, v = current(B, T, N), current(B, T, N, seed=1)

    def loss(x: Tensor) -> Tensor:
        return lif(x, alpha_mem=0.9).spikes.sum()

    want = (torch.autograd.functional.jacobian(loss, x) * v).sum()
    assert want > 1
    torch.testing.assert_close(linearize(loss, x)[1](v), want)
    for leaf in (x, x.clone().requires_grad_()):
        with forward_ad.dual_level():
            tangent = forward_ad.unpack_dual(loss(forward_ad.make_dual(leaf, v))).tangent
        torch.testing.assert_close(tangent.detach(), want)


def test_second_derivatives_by_forward_mode_are_those_of_autograd() -> None:
    def loss(x: Tensor) -> Tensor:
        return lif(x, alpha_mem=0.9, impl="reference").spikes.square().sum()

    x = current(1, 3, 2)
    want = torch.autograd.functional.hessian(loss, x)
    assert want.any()
    torch.testing.assert_close(hessian(loss)(x), want)


def test_vmap_equals_one_call_after_the_other() -> None:
    x, alpha = current(4, B, T, N), torch.tensor([0.5, 0.8, 0.9, 1.0])

    def run(x: Tensor, alpha: Tensor) -> Tensor:
        return lif(x, alpha_mem=alpha, reset=MembraneReset(-0.2)).spikes

    want = torch.stack([run(*one) for one in zip(x, alpha, strict=True)])
    assert torch.equal(vmap(run)(x, alpha), want)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_named_kernel_refuses_transforms(transform: Any) -> None:
    with pytest.raises(NotImplementedError, match=r"impl='cpu'.*impl='reference'"):
        transform(lambda x: lif(x, alpha_mem=0.9, impl="cpu").spikes.sum(), current(B, T, N))


def test_an_operator_that_is_called_by_itself_refuses_tangents() -> None:
    from picojoule.ops.cpu.op import fused_neuron

    x, none = current(B, T, N), torch.zeros(0)
    plan = "0 0 0 0 0 multi 0 threshold SingleExponential 0 0 1 float32"
    v, p, c = torch.zeros(B, N), torch.ones(1), [0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0]
    spikes = fused_neuron(x, v, none, none, p, c, plan)[0]
    assert torch.equal(spikes, lif(x, alpha_mem=1.0).spikes)
    with forward_ad.dual_level():
        for k in (0, 1, 4):
            given = [x, v, none, none, p]
            given[k] = forward_ad.make_dual(given[k], torch.ones_like(given[k]))
            with pytest.raises(NotImplementedError, match=r"forward-mode.*impl='reference'"):
                fused_neuron(*given, c, plan)


def test_a_spike_function_takes_tangents_by_itself() -> None:
    v, tangent = current(5), torch.ones(5)
    slope = SingleExponential()(v, 1.0)
    for threshold in (1.0, torch.tensor(1.0)):
        fire = lambda v, th=threshold: MultiSpike.apply(v, th, SingleExponential())  # noqa: E731
        torch.testing.assert_close(jvp(fire, (v,), (tangent,))[1], slope)
        torch.testing.assert_close(grad(lambda v, f=fire: f(v).sum())(v), slope)
    of_threshold = jvp(
        lambda th: MultiSpike.apply(v, th, SingleExponential()),
        (torch.tensor(1.0),),
        (torch.ones(()),),
    )[1]
    assert not of_threshold.any()  # it has no gradient either


def images() -> Tensor:
    """Counts, with windows that are silent and windows that cancel to 0."""
    x = (3 * current(2, 4, 3, 4, 4) - 1).floor().clamp(min=-1)
    x[:, :, 0, :2] = 0.0
    return x


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "sum": lambda: SumPool2d(2),
    "true sum": lambda: SumPool2d(2, silent_gradient=True),
    "overlapping sum": lambda: SumPool2d(3, stride=1, ceil_mode=True),
    "max": lambda: SpikingMaxPooling2dLayer(2),
    "rounding": QuantizeLayer,
    "rounding ReLU": NeuromorphicReLU,
}


@pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS)
def test_layers_take_tangents_and_batches(build: Callable[[], nn.Module]) -> None:
    x = images()
    x = x.flatten(0, 1) if isinstance(build(), SumPool2d) else x
    v = current(*x.shape, seed=5)
    leaf = x.clone().requires_grad_()
    output = build()(leaf)
    u = torch.rand_like(output)
    (gradient,) = torch.autograd.grad((u * output).sum(), leaf)
    assert gradient.any()
    _, tangent = jvp(build(), (x,), (v,))
    torch.testing.assert_close((u * tangent).sum(), (gradient * v).sum())
    torch.testing.assert_close(grad(lambda x: (u * build()(x)).sum())(x), gradient)
    many = torch.stack([x, v])
    torch.testing.assert_close(vmap(build())(many), torch.stack([build()(x), build()(v)]))


def test_silent_windows_have_no_tangent_as_they_have_no_gradient() -> None:
    x = torch.zeros(1, 1, 2, 4)
    x[..., 2:] = 1.0
    assert jvp(SumPool2d(2), (x,), (torch.ones_like(x),))[1].flatten().tolist() == [0.0, 4.0]


def test_random_rounding_passes_tangents() -> None:
    x, v = 3 * current(7), current(7, seed=1)
    rounded, tangent = jvp(StochasticRounding.apply, (x,), (v,))
    assert bool((rounded - x).abs().max() < 1)
    assert torch.equal(tangent, v)
    assert torch.equal(grad(lambda x: (v * StochasticRounding.apply(x)).sum())(x), v)


def test_what_a_transform_leaves_behind() -> None:
    x = current(B, T, N)
    want = LIF(5.0, norm_input=False)
    want(x)
    for leave in (
        lambda layer: grad(lambda x: layer(x).sum())(x),
        lambda layer: jvp(layer, (x,), (x,)),
    ):
        layer = LIF(5.0, norm_input=False)
        leave(layer)
        assert layer.firing_rate == want.firing_rate
        assert torch.equal(layer(x), want(x))
        want.reset_states()
        want(x)


def test_a_state_left_under_vmap_is_refused_until_a_reset() -> None:
    x, layer = current(B, T, N), IAF()
    vmap(layer)(torch.stack([x, x]))
    assert layer.firing_rate is None
    with pytest.raises(RuntimeError, match=r"^IAF: .*torch.func.vmap.*reset_states"):
        layer(x)
    layer.reset_states()
    assert torch.equal(layer(x), IAF()(x))


def test_two_calls_under_one_vmap_go_on_from_one_another() -> None:
    x, layer = current(4, B, T, N), IAF()
    halves = vmap(lambda x: torch.cat([layer(part) for part in x.split(3, dim=1)], dim=1))(x)
    assert torch.equal(halves, torch.stack([IAF()(one) for one in x]))


def test_an_ensemble_is_one_vmap() -> None:
    models = [nn.Sequential(nn.Linear(N, N), LIF(3.0 + k, norm_input=False)) for k in range(3)]
    parameters, buffers = torch.func.stack_module_state(models)
    x = 3 * current(B, T, N)

    def run(parameters: Any, buffers: Any) -> Tensor:
        return functional_call(models[0], (parameters, buffers), (x,))

    want = torch.stack([model(x) for model in models])
    for model in models:
        model[1].reset_states()
    torch.testing.assert_close(vmap(run)(parameters, buffers), want)


@pytest.mark.filterwarnings("ignore")  # of the compiler's own making
@pytest.mark.parametrize("transform", [jacfwd, grad])
def test_compiled_transforms_are_refused(transform: Any) -> None:
    def loss(x: Tensor) -> Tensor:
        return SumPool2d(2)(QuantizeLayer()(x)).square().sum()

    torch._dynamo.reset()
    run = torch.compile(transform(loss), backend="eager", fullgraph=True)
    with pytest.raises(torch._dynamo.exc.TorchDynamoException):
        run(2 * current(B, T, 4))
