"""What a transform of torch.func leaves in a layer does not outlive it, and spoils nothing."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, hessian, jvp, vjp, vmap

import picojoule
from picojoule.compat.sinabs import batch_size
from picojoule.layers import IAF, LIF, keep_samples

# PyTorch's own, when it first needs the tangents of some operators
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
B, T, N = 2, 6, 3


def current() -> Tensor:
    return 2 * torch.rand(B, T, N, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def as_in_sinabs() -> Iterator[None]:
    batch_size.keep_states_across_batch_sizes()
    yield
    batch_size.start_other_batch_sizes_from_zeros()


def recording() -> LIF:
    return LIF(5.0, norm_input=False, record_states=True)


LEAVE: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "vmap": lambda model, x: vmap(lambda one: model(one[None]))(x),
    "vmap of grad": lambda model, x: vmap(grad(lambda one: model(one[None]).sum()))(x),
    "grad of vmap": lambda model, x: grad(lambda y: vmap(lambda o: model(o[None]))(y).sum())(x),
    "vmap of vmap of grad": lambda model, x: vmap(
        vmap(grad(lambda one: model(one[None, None]).sum()))
    )(x),
    "vmap of vjp": lambda model, x: vmap(lambda one: vjp(model, one[None])[0])(x),
    "grad": lambda model, x: grad(lambda y: model(y).sum())(x),
    "jvp": lambda model, x: jvp(model, (x,), (x,)),
    "hessian": lambda model, x: hessian(lambda y: model(y * x).square().sum())(torch.ones(())),
}
TOUCH: dict[str, Callable[[Any], Any]] = {
    "reset_states": picojoule.reset_states,
    "zero_grad": picojoule.zero_grad,
    "double": lambda model: model.double().float(),
    "state_dict": lambda model: torch.save(model.state_dict(), io.BytesIO()),
    "load_state_dict": lambda model: model.load_state_dict(copy.deepcopy(model).state_dict()),
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "firing_rate": lambda model: model[0].firing_rate,
    "shape": lambda model: model[0].shape,
    "keep_samples": lambda model: keep_samples(model, torch.tensor([True] * B)),
    "init_state_with_shape": lambda model: model[0].init_state_with_shape((B, N)),
}


@pytest.mark.parametrize("states", ["attributes", "buffers"])
@pytest.mark.parametrize("layer", [IAF, recording])
@pytest.mark.parametrize("touch", TOUCH.values(), ids=TOUCH)
@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_what_a_transform_leaves_in_a_layer_does_not_spoil_it(
    leave: Any, touch: Any, layer: Any, states: str, request: pytest.FixtureRequest
) -> None:
    if states == "buffers":
        request.getfixturevalue("as_in_sinabs")
    x, model = current(), nn.Sequential(layer())
    leave(model, x)
    touch(model)
    picojoule.reset_states(model)
    assert torch.equal(model(x), layer()(x))


@pytest.mark.parametrize("leave", [name for name in LEAVE if "vmap" in name])
def test_a_state_that_a_vmap_has_left_is_no_state(leave: str) -> None:
    x, model = current(), nn.Sequential(IAF())
    LEAVE[leave](model, x)
    calls: list[Callable[[Tensor], Tensor]] = [
        model,
        lambda x: picojoule.checkpoint_time(model, x, steps=2),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match=r"^IAF: .*torch.func.vmap.*reset_states"):
            call(x)
    assert model[0].firing_rate is None
    assert model[0].shape is None
    copied = pickle.loads(pickle.dumps(model))
    assert torch.equal(copied(x), IAF()(x))
