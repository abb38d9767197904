"""What every neuron layer tells about itself; the layers are listed in tests/conftest.py."""

import copy
import gc
import inspect
import pickle
import warnings
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

from picojoule.layers import SqueezeMixin, StatefulLayer
from picojoule.synops import firing_rate


def current(*shape: int, seed: int = 0) -> Tensor:
    return 4 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tensors(layer: StatefulLayer) -> list[Tensor]:
    return [*layer.parameters(), *layer.buffers()]


def test_a_layer_built_from_the_arguments_is_alike_and_its_own(neuron: Any) -> None:
    layer = neuron.build(record_states=True)
    neuron.run(layer, current(3, 6, 5))
    twin = type(layer)(**layer.arg_dict)
    assert repr(twin) == repr(layer)
    assert twin.shape == layer.shape
    assert twin.record_states
    owned = {x.data_ptr() for x in tensors(layer) if x.numel()}
    assert owned.isdisjoint(x.data_ptr() for x in tensors(twin))
    layer.reset_states()
    layer.zero_grad()
    data = current(3, 6, 5, seed=1)
    torch.testing.assert_close(neuron.run(twin, data), neuron.run(layer, data))


def test_the_firing_rate_is_the_mean_of_the_last_output(neuron: Any) -> None:
    layer, data = neuron.build(), current(3, 6, 5).requires_grad_()
    want = firing_rate(neuron.run(layer, data))
    torch.testing.assert_close(layer.firing_rate, want)
    (gradient,) = torch.autograd.grad(layer.firing_rate, data, retain_graph=True)
    assert gradient.any()
    layer.zero_grad()
    assert layer.firing_rate == want.detach()
    assert not layer.firing_rate.requires_grad
    with torch.no_grad():
        quiet = neuron.run(layer, 0.1 * data)
    torch.testing.assert_close(layer.firing_rate, firing_rate(quiet))
    with torch.inference_mode():
        want = firing_rate(neuron.run(layer, data))
    torch.testing.assert_close(layer.firing_rate, want.clone())


@pytest.mark.parametrize("shape", [(3, 0, 5), (0, 6, 5)])
@pytest.mark.parametrize("grad", [False, True])
def test_the_firing_rate_of_nothing_is_zero(
    neuron: Any, shape: tuple[int, ...], grad: bool
) -> None:
    layer = neuron.build()
    with torch.set_grad_enabled(grad):
        neuron.run(layer, torch.zeros(shape))
    assert layer.firing_rate == 0


def test_a_firing_rate_that_is_not_known_is_none(neuron: Any) -> None:
    layer, data = neuron.build(), current(3, 6, 5)
    assert layer.firing_rate is None
    neuron.run(layer, data)
    assert copy.deepcopy(layer).firing_rate is None
    assert pickle.loads(pickle.dumps(layer)).firing_rate is None
    assert dict(inspect.getmembers(layer))["firing_rate"] is not None


def test_the_firing_rate_is_of_what_the_layer_gave_out(neuron: Any) -> None:
    layer = neuron.build()
    output = neuron.run(layer, current(3, 6, 5))
    want = firing_rate(output)
    output.mul_(2)
    torch.testing.assert_close(layer.firing_rate, want)


def test_a_layer_does_not_hold_its_output(neuron: Any) -> None:
    layer = neuron.build()
    output = weakref.ref(neuron.run(layer, current(3, 6, 5).requires_grad_()))
    gc.collect()
    assert output() is None


def test_a_changed_batch_is_told_once_a_layer_and_starts_from_zeros_every_time(neuron: Any) -> None:
    layer = neuron.build()
    neuron.run(layer, current(3, 6, 5))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outputs = {batch: neuron.run(layer, current(batch, 6, 5)) for batch in (2, 3, 4)}
    assert len(caught) == 1
    assert "needs states of shape (2, 5), the last call left (3, 5)" in str(caught[0].message)
    for batch, output in outputs.items():
        assert torch.equal(output, neuron.run(neuron.build(), current(batch, 6, 5)))


def test_a_changed_batch_draws_no_random_numbers(neuron: Any) -> None:
    layer = neuron.build()
    neuron.run(layer, current(3, 6, 5))
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neuron.run(layer, current(2, 6, 5))
    layer.handle_state_batch_size_mismatch(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert layer.shape == (4, 5)
    assert not any(state.any() or state.requires_grad for state in layer.states().values())


def test_a_layer_without_memory_behind_it_can_be_made_shown_and_run(neuron: Any) -> None:
    with torch.device("meta"):
        layer = neuron.build(shape=(3, 5))
    assert {x.device.type for x in tensors(layer)} == {"meta"}
    assert type(layer).__name__ in repr(layer)
    assert neuron.run(layer, torch.empty(3, 6, 5, device="meta")).shape == (3, 6, 5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.0])
def test_one_bad_sample_stays_alone(neuron: Any, value: float) -> None:
    data = current(3, 6, 5)
    data[1, 2, 3] = value
    output = neuron.run(layer := neuron.build(), data)
    clean = neuron.run(neuron.build(), current(3, 6, 5))
    assert torch.equal(output[[0, 2]], clean[[0, 2]])
    assert torch.equal(output[:, :2], clean[:, :2])
    assert layer.v_mem[[0, 2]].isfinite().all()


@pytest.mark.parametrize("shape", [(), (4,)], ids=str)
def test_an_input_of_too_few_axes_is_named_and_leaves_the_state(
    neuron: Any, shape: tuple[int, ...]
) -> None:
    layer = neuron.build()
    if isinstance(layer, SqueezeMixin) and shape:
        assert layer(torch.ones(shape)).shape == shape  # batch and time in one axis, one neuron
        return
    with pytest.raises(ValueError, match=r"has shape \((4,)?\), expected"):
        layer(torch.ones(shape))
    assert layer.shape is None


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64], ids=str)
def test_an_input_that_is_not_floating_point_is_named(neuron: Any, dtype: torch.dtype) -> None:
    layer = neuron.build()
    with pytest.raises(TypeError, match=rf"the input current is {dtype}, expected a floating"):
        neuron.run(layer, torch.ones(3, 6, 5, dtype=dtype))
    assert layer.shape is None


def test_a_double_input_is_computed_in_double_precision(neuron: Any) -> None:
    data = current(3, 6, 5).double()
    mixed, double = neuron.build(), neuron.build().double()
    output = neuron.run(mixed, data)
    assert output.dtype == mixed.v_mem.dtype == torch.float64
    torch.testing.assert_close(output, neuron.run(double, data))


def test_no_neurons_give_no_spikes(neuron: Any) -> None:
    assert neuron.run(neuron.build(), torch.zeros(3, 6, 0)).shape == (3, 6, 0)
