"""Compiled and exported neuron layers spike as the layers themselves; see tests/conftest.py for the list."""

import copy
import gc
import shutil
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.layers import (
    ALIF,
    ALIFRecurrent,
    IAFSqueeze,
    LIFRecurrent,
    LIFSqueeze,
    SqueezeMixin,
    StatefulLayer,
    SumPool2d,
    zero_grad,
)
from picojoule.synops.watch.uncompiled import _Hold
from tests.conftest import NEURONS, Neuron

# torch's own tracer makes one for every autograd function that it meets
pytestmark = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")

BATCH, STEPS, NUM_NEURONS = 3, 3, 5
# squeezing layers run the very code that the others run, and fold their data: some stand for them
FOLDED = ("LIFSqueeze(tau_mem=4.0, tau_syn=3.0, train_alphas=True)", "ExpLeakSqueeze(tau_mem=4.0)")


@pytest.fixture(autouse=True)
def nobody_watches() -> None:
    """Models of earlier tests that are still watched would have compiled code run as it is written."""
    if _Hold._holders:
        gc.collect()
    assert _Hold._holders == 0


def marks(neuron: Neuron) -> list[pytest.MarkDecorator]:
    squeezes = issubclass(neuron.layer_class, SqueezeMixin)
    return [pytest.mark.slow] if squeezes and str(neuron) not in FOLDED else []


ALL = [pytest.param(neuron, id=str(neuron), marks=marks(neuron)) for neuron in NEURONS]


def current(seed: int, batch: int = BATCH) -> Tensor:
    return 4 * torch.randn(batch, STEPS, NUM_NEURONS, generator=torch.Generator().manual_seed(seed))


def used(neuron: Any, record: bool = False) -> StatefulLayer:
    """A layer in the middle of its work: with a state that is not zero."""
    layer = neuron.build(record_states=record)
    if isinstance(layer, SqueezeMixin):
        layer.batch_size = BATCH
    layer(folded(layer, current(0)))
    layer.zero_grad()
    assert all(state.any() for state in layer.states().values())
    return layer


def folded(layer: StatefulLayer, data: Tensor) -> Tensor:
    return data.flatten(0, 1) if isinstance(layer, SqueezeMixin) else data


def forward_and_backward(layer: Any, data: Tensor) -> dict[str, Tensor]:
    data = data.clone().requires_grad_()
    output = layer(data)
    output.square().sum().backward()
    gradients = {f"grad {k}": p.grad for k, p in layer.named_parameters() if p.requires_grad}
    results = {"output": output, "grad": data.grad, **gradients, **layer.recordings}
    return {**results, **{f"state {k}": v for k, v in layer.states().items()}}


def compare(eager: StatefulLayer, backend: str, exact: bool) -> None:
    torch._dynamo.reset()
    own = copy.deepcopy(eager)
    own.compile(backend=backend, fullgraph=True)
    for seed in (1, 2):  # the second call starts from the state that the compiled first one left
        data = folded(eager, current(seed))
        want, got = forward_and_backward(eager, data), forward_and_backward(own, data)
        assert want.keys() == got.keys()
        assert torch.equal(want["output"].sign(), got["output"].sign())
        for name, value in want.items():
            bound = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-4, "atol": 1e-4}
            torch.testing.assert_close(got[name], value, **bound, msg=lambda m, n=name: f"{n}: {m}")
        eager.zero_grad()
        own.zero_grad()


@pytest.mark.parametrize("neuron", ALL, indirect=True)
def test_compiled_spikes_states_and_gradients_are_the_same(neuron: Any) -> None:
    compare(used(neuron, record=True), "aot_eager", exact=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of the compiler's own making
def test_machine_code_gives_the_same(neuron: Any) -> None:
    compare(used(neuron), "inductor", exact=False)


@pytest.mark.parametrize("neuron", ALL, indirect=True)
def test_an_exported_program_gives_the_same_and_keeps_its_state(neuron: Any) -> None:
    layer = used(neuron)
    first, second = folded(layer, current(1)), folded(layer, current(2))
    before = copy.deepcopy(layer)
    program = torch.export.export(layer, (first,)).module()
    for name, state in layer.states().items():
        assert torch.equal(state, before.states()[name]), "exporting changed the state"
    for data in (first, second):
        assert torch.equal(program(data), before(data))
    states = dict(program.named_buffers())
    for name, state in before.states().items():
        assert torch.equal(states[name], state), name


@pytest.mark.parametrize(
    "build",
    [
        lambda connect: LIFRecurrent(5.0, connect),
        lambda connect: ALIFRecurrent(5.0, 4.0, connect, min_v_mem=-1.0),
    ],
)
def test_a_connection_with_weights_and_buffers_is_compiled_and_exported(build: Any) -> None:
    connect = nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(NUM_NEURONS), nn.Linear(NUM_NEURONS, NUM_NEURONS)
    )
    layer = build(connect)
    layer(current(0))
    layer.zero_grad()
    compare(copy.deepcopy(layer), "aot_eager", exact=True)
    layer.eval()
    # a program works on the state of the layer that it was made from
    program = torch.export.export(copy.deepcopy(layer), (current(1),)).module()
    for seed in (1, 2):
        assert torch.equal(program(current(seed)), layer(current(seed)))


def spiking_cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), IAFSqueeze(batch_size=2), SumPool2d(2), nn.Flatten(), nn.Linear(12, 4),
        LIFSqueeze(tau_mem=5.0, batch_size=2, min_v_mem=-1.0, norm_input=False),
    )  # fmt: skip


def frames(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.rand(2 * STEPS, 1, 6, 6, generator=generator)


@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_a_whole_network_is_compiled_in_one_graph(impl: str) -> None:
    torch._dynamo.reset()
    model = spiking_cnn()
    for layer in (model[1], model[-1]):
        layer.impl = impl
    own = copy.deepcopy(model)
    compiled = torch.compile(own, backend="aot_eager", fullgraph=True)
    for seed in range(3):
        want, got = model(frames(seed)), compiled(frames(seed))
        assert torch.equal(got, want)
        for own_grad, grad in zip(weight_grads(own, got), weight_grads(model, want), strict=True):
            assert grad.any()
            torch.testing.assert_close(own_grad, grad)
        zero_grad(model)
        zero_grad(own)
    assert model[-1].v_mem.any()
    assert torch.equal(own[-1].v_mem, model[-1].v_mem)


def weight_grads(model: nn.Sequential, output: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(output.square().sum(), (model[0].weight, model[4].weight))


@pytest.mark.skipif(not hasattr(torch.compiler, "is_exporting"), reason="torch 2.6 cannot tell")
def test_a_whole_network_is_exported_with_its_state() -> None:
    model = spiking_cnn()
    model(frames(0))
    zero_grad(model)
    own = copy.deepcopy(model)
    program = torch.export.export(own, (frames(0),)).module()
    assert torch.equal(own[-1].v_mem, model[-1].v_mem), "exporting changed the state"
    for seed in (1, 2):
        want = model(frames(seed))
        assert want.any()
        assert torch.equal(program(frames(seed)), want)
    states = dict(program.named_buffers())
    assert all(torch.equal(states[f"{k}.v_mem"], model[k].v_mem) for k in (1, 5))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the tracer looks at states
def test_gradients_flow_through_the_state_from_call_to_call() -> None:
    torch._dynamo.reset()
    gradients = []
    for compiled in (False, True):
        layer = LIFRecurrent(5.0, nn.Tanh(), tau_syn=3.0)
        if compiled:
            layer.compile(backend="aot_eager", fullgraph=True)
        first = current(0).requires_grad_()
        layer(first)
        layer(current(1)).sum().backward()
        gradients.append(first.grad)
    assert gradients[0].any()
    assert torch.equal(*gradients)


def test_a_compiled_layer_starts_from_zeros_when_the_batch_changes() -> None:
    torch._dynamo.reset()
    layer = ALIF(5.0, 4.0)
    layer.compile(backend="aot_eager", fullgraph=True)
    layer(current(0))
    layer.zero_grad()
    output = layer(current(1, batch=2))
    assert output.any()
    assert torch.equal(output, ALIF(5.0, 4.0)(current(1, batch=2)))


def test_a_compiled_layer_keeps_no_firing_rate() -> None:
    torch._dynamo.reset()
    layer = ALIF(5.0, 4.0)
    layer(current(0))
    assert layer.firing_rate > 0
    layer.zero_grad()
    layer.compile(backend="aot_eager", fullgraph=True)
    layer(current(0))
    assert layer.firing_rate is None


@pytest.mark.skipif(not hasattr(torch.compiler, "is_exporting"), reason="torch 2.6 cannot tell")
@pytest.mark.parametrize("shape", [None, (2, NUM_NEURONS)])
def test_an_export_without_a_fitting_state_says_what_to_do(shape: tuple[int, ...] | None) -> None:
    layer = ALIF(5.0, 4.0, shape=shape)
    with pytest.raises(ValueError, match=r"init_state_with_shape\(\(3, 5\)\)"):
        torch.export.export(layer, (current(0),))
    layer.init_state_with_shape((BATCH, NUM_NEURONS))
    program = torch.export.export(copy.deepcopy(layer), (current(0),)).module()
    assert torch.equal(program(current(0)), layer(current(0)))
