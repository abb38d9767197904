"""Under the transforms of torch.func a watched model gives what it gives unwatched, and its count; or a refusal that says what to do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import picojoule
from picojoule import Monitor
from picojoule.layers import ALIF, IAF, LIF, LIFRecurrent, Repeat, SpikingMaxPooling2dLayer

# PyTorch's own, when it first needs the tangents of some operators
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
B, T, N = 3, 6, 4
MODELS: dict[str, Callable[[], nn.Module]] = {
    "iaf": lambda: nn.Sequential(nn.Linear(N, 5), IAF(), nn.Linear(5, 2)),
    "lif": lambda: nn.Sequential(
        nn.Linear(N, 5), LIF(4.0, tau_syn=3.0, norm_input=False), nn.Linear(5, 2)
    ),
    "alif": lambda: nn.Sequential(nn.Linear(N, 5), ALIF(4.0, 5.0, norm_input=False)),
    "recurrent": lambda: nn.Sequential(
        nn.Linear(N, 5), LIFRecurrent(4.0, nn.Linear(5, 5), norm_input=False), nn.Linear(5, 2)
    ),
    "pooled": lambda: nn.Sequential(
        nn.Unflatten(2, (1, 2, 2)), Repeat(nn.Conv2d(1, 2, 3, padding=1)), IAF(spike_threshold=0.2),
        SpikingMaxPooling2dLayer(2), nn.Flatten(2), nn.Linear(2, 2),
    ),
}  # fmt: skip


def dual(model: nn.Module, x: Tensor) -> Any:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(model(forward_ad.make_dual(x, x))).tangent


def of_parameters(model: nn.Module, x: Tensor) -> Any:
    given = dict(model.named_parameters())
    return grad(lambda p: functional_call(model, p, (x,)).sum())(given)


COUNTED: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "grad": lambda model, x: grad(lambda y: model(y).sum())(x),
    "grad of parameters": of_parameters,
    "grad of grad": lambda model, x: grad(
        lambda y: grad(lambda z: model(z).square().sum())(y).sum()
    )(x),
    "jacrev": lambda model, x: jacrev(lambda y: model(y).sum((0, 1)))(x),
    "vjp": lambda model, x: vjp(model, x)[0],
    "jvp": lambda model, x: jvp(model, (x,), (x,)),
    "dual numbers": dual,
}
REFUSED: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "vmap": lambda model, x: vmap(lambda one: model(one[None]))(x),
    "vmap of grad": lambda model, x: vmap(grad(lambda one: model(one[None]).sum()))(x),
    "grad of vmap": lambda model, x: grad(lambda y: vmap(lambda o: model(o[None]))(y).sum())(x),
    "jacfwd": lambda model, x: jacfwd(lambda y: model(y * x).sum())(torch.ones(())),
    "hessian": lambda model, x: hessian(lambda y: model(y * x).sum())(torch.ones(())),
}


def sequence() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 4, (B, T, N), generator=generator).float()


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[name]()


def numbers(monitor: Monitor) -> list[Any]:
    counts = [monitor.synops, monitor.macs, monitor.dense, monitor.neuron_updates]
    return [
        *({name: value.item() for name, value in each.items()} for each in counts),
        {name: value.tolist() for name, value in monitor.rates.items()},
        monitor.report().num_timesteps,
        monitor.warnings,
    ]


@pytest.mark.parametrize("options", [{}, {"witness": "off", "weights": "nonzero"}])
@pytest.mark.parametrize("transform", COUNTED.values(), ids=COUNTED)
@pytest.mark.parametrize("name", MODELS)
def test_derivatives_leave_the_count_and_the_count_leaves_them(
    name: str, transform: Any, options: Any
) -> None:
    check(name, transform, options)


@pytest.mark.parametrize("name", ["iaf", "pooled"])
def test_conventions_of_others_are_kept_under_a_derivative(name: str) -> None:
    check(name, COUNTED["grad of parameters"], {"conventions": True})


def check(name: str, transform: Any, options: Any) -> None:
    unwatched = transform(build(name), sequence())
    model, x = build(name), sequence()
    with Monitor(model, **options) as reference:
        model(x)
    with Monitor(model, **options) as monitor:
        for _ in range(3):  # what was seen once is not looked at again
            picojoule.reset_states(model)
            torch.testing.assert_close(transform(model, x), unwatched)
            torch.testing.assert_close(numbers(monitor), numbers(reference))
        picojoule.reset_states(model)
        model(x)
        torch.testing.assert_close(numbers(monitor), numbers(reference))


@pytest.mark.parametrize("transform", REFUSED.values(), ids=REFUSED)
def test_what_nobody_can_see_is_refused_before_anything_is_changed(transform: Any) -> None:
    model, x = build("iaf"), sequence()
    with Monitor(model) as monitor:
        model(x)
        before, state = numbers(monitor), model.get_submodule("1").v_mem
        with pytest.raises(NotImplementedError, match=r"^Monitor: .*func.vmap.*monitor.paused"):
            transform(model, x)
        assert numbers(monitor) == before
        assert model.get_submodule("1").v_mem is state
        assert not torch._C._len_torch_function_stack()
        picojoule.reset_states(model)
        with monitor.paused():
            transform(model, x)
        picojoule.reset_states(model)
        model(x)
        assert numbers(monitor) == before


@pytest.mark.parametrize("transform", ["grad", "vjp", "jvp"])
def test_detail_under_a_derivative_is_refused(transform: str) -> None:
    model, x = build("iaf"), sequence()
    with Monitor(model, detail=("sample",)) as monitor:
        with pytest.raises(NotImplementedError, match=r"^Monitor: detail= .*monitor.paused"):
            COUNTED[transform](model, x)
        model(x)
    assert monitor.synops.detail["0"].shape == (B,)


def test_neurons_under_a_vmap_of_the_model_are_refused() -> None:
    class Mapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = IAF()

        def forward(self, x: Tensor) -> Any:
            return vmap(self.neuron)(x[:, None])

    model = Mapped()
    with (
        Monitor(model) as monitor,
        pytest.raises(
            NotImplementedError, match=r"^Monitor: neurons \(IAF\) .*func.vmap.*monitor.paused"
        ),
    ):
        model(sequence())
    assert model.neuron.shape is None
    with monitor.paused():
        model(sequence())


def test_a_refused_call_leaves_the_model_unwatched() -> None:
    model = build("iaf")
    monitor = Monitor(model)
    with pytest.raises(NotImplementedError, match=r"func.vmap"):
        vmap(lambda one: monitor.call(model, one[None]))(sequence())
    assert not model._forward_pre_hooks
