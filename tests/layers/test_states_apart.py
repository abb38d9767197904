"""A neuron's state is its own: no part of what is averaged, synchronised or compared with another model's."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn

import picojoule
from picojoule.compat.sinabs.batch_size import (
    keep_states_across_batch_sizes,
    start_other_batch_sizes_from_zeros,
)
from picojoule.layers import ALIF, IAF, LIFRecurrent, StatefulLayer

DECAY = 0.75
AVERAGES: dict[str, dict[str, Any]] = {
    "mean": {},
    "ema": {"avg_fn": get_ema_avg_fn(DECAY)},
    "ema at once": {"multi_avg_fn": get_ema_multi_avg_fn(DECAY)},
}


def network() -> nn.Sequential:
    neurons = ALIF(5.0, 4.0), LIFRecurrent(3.0, nn.Linear(4, 4), tau_syn=2.0)
    for layer in neurons:
        layer.impl = "reference"  # there is nothing to compile
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(6), *neurons)


def data(batch: int, seed: int = 0) -> Tensor:
    return 4 * torch.rand(batch, 6, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.filterwarnings("ignore:.*starting from zeros")
@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("average", AVERAGES)
def test_models_of_any_batch_size_are_averaged(average: str, use_buffers: bool) -> None:
    model = network()
    averaged = AveragedModel(model, use_buffers=use_buffers, **AVERAGES[average])
    weights = []
    for k, batch in enumerate((4, 7, 2)):
        model(data(batch)).sum().backward()
        picojoule.zero_grad(model)  # the states stay
        with torch.no_grad():
            model[0].weight.add_(1.0)
        averaged.update_parameters(model)
        weights.append(model[0].weight.detach().clone())
        averaged(data(batch + 1, seed=k))
        assert averaged.module[2].shape == (batch + 1, 4)
    want = weights[0]
    for k, weight in enumerate(weights[1:], start=1):
        share = 1 - DECAY if average != "mean" else 1 / (k + 1)
        want = (1 - share) * want + share * weight
    torch.testing.assert_close(averaged.module[0].weight, want)
    assert model[2].shape == (2, 4)


def test_no_state_is_a_buffer(neuron: Any) -> None:
    layer = neuron.build()
    neuron.run(layer, data(2))
    assert not layer.states().keys() & dict(layer.named_buffers()).keys()
    assert layer.states().keys() <= layer.state_dict().keys()
    assert all(torch.equal(layer.state_dict()[k], v) for k, v in layer.states().items())


def test_after_a_reset_models_of_other_batches_are_alike(neuron: Any) -> None:
    layer = neuron.build()
    twin = copy.deepcopy(layer)
    for each, batch in ((layer, 2), (twin, 300)):
        neuron.run(each, data(batch))
        each.reset_states()
    one, other = layer.state_dict(), twin.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert sum(value.numel() for value in one.values()) < 100


def test_a_state_moves_with_the_model(neuron: Any) -> None:
    layer = neuron.build()
    neuron.run(layer, data(2))
    layer.zero_grad()
    before = {name: state.clone() for name, state in layer.states().items()}
    layer.double()
    for name, state in layer.states().items():
        assert state.dtype == torch.float64
        assert torch.equal(state, before[name].double())


def test_what_is_no_tensor_is_no_state() -> None:
    layer = IAF()
    saved = {**layer.state_dict(), "v_mem": "zero"}
    with pytest.raises(RuntimeError, match="v_mem is a str, expected a tensor"):
        layer.load_state_dict(saved)


def test_a_model_without_memory_takes_over_states_with_the_weights() -> None:
    model = nn.Sequential(nn.Linear(3, 4), IAF())
    model(data(2))
    with torch.device("meta"):
        twin = nn.Sequential(nn.Linear(3, 4), IAF())
    twin.load_state_dict(model.state_dict(), assign=True)
    assert torch.equal(twin(data(2)), model(data(2)))


def as_it_was_pickled_before(layer: StatefulLayer) -> StatefulLayer:
    """With states among the buffers."""
    state = layer.__getstate__()
    state["_buffers"] |= {name: state.pop(name) for name in layer.states()}
    old = type(layer).__new__(type(layer))
    old.__setstate__(state)
    return old


def test_a_layer_pickled_by_an_earlier_version_goes_on(neuron: Any) -> None:
    layer = neuron.build()
    neuron.run(layer, data(2))
    old = as_it_was_pickled_before(layer)
    assert torch.equal(neuron.run(old, data(2, seed=1)), neuron.run(layer, data(2, seed=1)))
    for twin in (old, copy.deepcopy(old), pickle.loads(pickle.dumps(old))):
        assert not twin.states().keys() & dict(twin.named_buffers()).keys()
        assert all(torch.equal(x, layer.states()[name]) for name, x in twin.states().items())


def test_a_subclass_may_register_its_state() -> None:
    class Own(StatefulLayer):
        def __init__(self) -> None:
            super().__init__(["v_mem"])
            self.register_buffer("v_mem", torch.ones(2, 3))
            self.register_buffer("seen", torch.ones(1))

    layer = Own()
    assert list(dict(layer.named_buffers())) == ["seen"]
    assert layer.shape == (2, 3)
    assert sorted(layer.state_dict()) == ["seen", "v_mem"]


@pytest.mark.skipif(not hasattr(torch.compiler, "is_exporting"), reason="torch 2.6 cannot tell")
def test_an_export_finds_the_states_and_leaves_them() -> None:
    layer = IAF(shape=(2, 3))
    program = torch.export.export(layer, (data(2),))
    assert "v_mem" in program.state_dict
    layer.v_mem = torch.ones(2, 3)
    assert not list(layer.buffers())
    layer(data(2))
    assert layer.v_mem.any()


@pytest.fixture
def _as_in_sinabs() -> Iterator[None]:
    keep_states_across_batch_sizes()
    yield
    start_other_batch_sizes_from_zeros()


@pytest.mark.usefixtures("_as_in_sinabs")
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_while_sinabs_is_stood_for_states_are_buffers_and_keep_their_shape(
    duplicate: Callable[[nn.Module], nn.Module],
) -> None:
    model = nn.Sequential(IAF())
    model(data(2))
    assert [name for name, _ in model.named_buffers()] == ["0.v_mem"]
    twin = duplicate(model).double()
    assert twin[0].v_mem.dtype == torch.float64
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    model.load_state_dict(torch.load(file))
    assert torch.equal(twin[0].v_mem, model[0].v_mem.double())
    picojoule.reset_states(model)
    assert torch.equal(model[0].v_mem, torch.zeros(2, 3))


def test_a_reset_does_not_forget_how_many_neurons_there_are() -> None:
    layer = IAF()
    assert layer.neuron_shape is None
    layer(torch.ones(2, 3, 4, 5))
    layer.reset_states()
    assert layer.v_mem.shape == (0,)
    assert layer.neuron_shape == (4, 5)
    layer.reset_states(randomize=True, value_ranges={"v_mem": (2.0, 3.0)})
    assert layer.v_mem.shape == (2, 4, 5)
    assert layer.v_mem.min() >= 2
