"""What holds for every neuron layer; the layers are listed in tests/conftest.py.

Data is `b t *n` throughout; `neuron.run` folds it for the squeezing layers.
"""

import copy
import io
import itertools
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from picojoule.layers import StatefulLayer
from tests.conftest import NEURONS

# wide enough to make every neuron fire, also one whose input is normalised
SPREAD = 4.0


def current(*shape: int, seed: int = 0) -> Tensor:
    return SPREAD * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_same_states(one: StatefulLayer, other: StatefulLayer) -> None:
    for name, state in one.states().items():
        assert torch.equal(state, other.states()[name]), name


def tensors(layer: StatefulLayer) -> dict[str, Tensor]:
    return {**dict(layer.named_parameters()), **layer.states()}


def addresses(layer: StatefulLayer) -> set[int]:
    return {x.untyped_storage().data_ptr() for x in tensors(layer).values() if x.numel()}


def test_output_is_not_trivial(neuron: Any) -> None:
    output = neuron.run(neuron.build(), current(3, 12, 5))
    assert output.shape == (3, 12, 5)
    assert 0.05 < (output != 0).float().mean() <= 1.0


def test_whatever_runs_a_layer_gives_what_the_reference_gives(neuron: Any) -> None:
    results = []
    for impl in ("auto", "reference"):
        data, layer = current(3, 12, 5).requires_grad_(), neuron.build()
        layer.impl = impl
        output = neuron.run(layer, data)
        results.append((output, *torch.autograd.grad(output.square().sum(), data)))
    torch.testing.assert_close(*results)


def test_two_halves_equal_the_whole(neuron: Any) -> None:
    data, whole, halves = current(3, 12, 5), neuron.build(), neuron.build()
    output = neuron.run(whole, data)
    parts = [neuron.run(halves, part) for part in data.split([5, 7], dim=1)]
    assert torch.equal(output, torch.cat(parts, dim=1))
    assert_same_states(whole, halves)


def test_a_sample_does_not_depend_on_its_neighbours(neuron: Any) -> None:
    data, together = current(3, 12, 5).requires_grad_(), neuron.build()
    output = neuron.run(together, data)
    for b in range(3):
        alone = neuron.build()
        assert torch.equal(neuron.run(alone, data[b : b + 1]), output[b : b + 1])
        assert torch.equal(alone.v_mem[0], together.v_mem[b])
    (gradient,) = torch.autograd.grad(output[1].sum(), data)
    assert [bool(g.any()) for g in gradient] == [False, True, False]


def test_silence_in_gives_silence_out(neuron: Any) -> None:
    layer = neuron.build()
    assert not neuron.run(layer, torch.zeros(3, 12, 5)).any()
    assert not any(state.any() for state in layer.states().values())


def pickled(layer: StatefulLayer, neuron: Any) -> StatefulLayer:
    return pickle.loads(pickle.dumps(layer))


def deep_copied(layer: StatefulLayer, neuron: Any) -> StatefulLayer:
    return copy.deepcopy(layer)


def loaded(layer: StatefulLayer, neuron: Any) -> StatefulLayer:
    fresh = neuron.build()
    fresh.load_state_dict(layer.state_dict(), strict=True)
    return fresh


def loaded_from_a_file(layer: StatefulLayer, neuron: Any) -> StatefulLayer:
    """Into a layer that holds the state of another batch size."""
    file, used = io.BytesIO(), neuron.build()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    neuron.run(used, current(7, 2, 5, seed=1))
    used.load_state_dict(torch.load(file, weights_only=True), strict=True)
    return used


@pytest.mark.parametrize("record", [False, True], ids=["", "recording"])
@pytest.mark.parametrize("steps", [0, 6], ids=["before_forward", "after_forward"])
@pytest.mark.parametrize("duplicate", [pickled, deep_copied, loaded, loaded_from_a_file])
def test_a_copy_goes_on_like_the_original(
    neuron: Any, duplicate: Callable[..., StatefulLayer], steps: int, record: bool
) -> None:
    layer = neuron.build(record_states=record)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(0.9)
    if steps:
        neuron.run(layer, current(3, steps, 5))
    twin = duplicate(layer, neuron)
    assert_same_states(layer, twin)
    assert addresses(layer).isdisjoint(addresses(twin))
    assert not any(state.requires_grad for state in twin.states().values())
    more = current(3, 6, 5, seed=1)
    assert torch.equal(neuron.run(twin, more), neuron.run(layer, more))
    assert_same_states(layer, twin)


@pytest.mark.parametrize("duplicate", [pickled, deep_copied])
def test_hooks_eval_mode_and_frozen_parameters_survive_copying(
    neuron: Any, duplicate: Callable[..., StatefulLayer]
) -> None:
    layer = neuron.build().eval()
    layer.register_forward_hook(double_the_output)
    frozen = {name: p.requires_grad for name, p in layer.named_parameters()}
    for name, parameter in layer.named_parameters():
        parameter.requires_grad_(not frozen[name])
    neuron.run(layer, current(3, 6, 5))
    twin = duplicate(layer, neuron)
    assert not twin.training
    assert {name: not p.requires_grad for name, p in twin.named_parameters()} == frozen
    plain = neuron.run(neuron.build(), current(3, 6, 5))
    twin.reset_states()
    assert torch.equal(neuron.run(twin, current(3, 6, 5)), 2 * plain)


def double_the_output(module: StatefulLayer, inputs: Any, output: Tensor) -> Tensor:
    return 2 * output


# kernels are compiled anew for these: all of their kind in the fast cases would cost a minute
OWN_KERNELS = (torch.float64, torch.bfloat16)
USUAL = (
    "IAF()",
    "LIF(tau_mem=4.0, tau_syn=3.0, train_alphas=True)",
    "ALIF(tau_mem=4.0, tau_adapt=5.0)",
    "ExpLeak(tau_mem=4.0)",
)


def in_dtypes() -> Iterator[Any]:
    """Every neuron in every dtype; those whose kernel another one stands for are slow cases."""
    for neuron, dtype in itertools.product(NEURONS, (*OWN_KERNELS, torch.float16)):
        is_fused = "rec_connect" not in neuron.arguments
        is_usual = str(neuron).replace("Squeeze", "") in USUAL  # the kernels are the same
        is_slow = is_fused and dtype in OWN_KERNELS and not is_usual
        marks = [pytest.mark.slow] if is_slow else []
        yield pytest.param(neuron, dtype, id=f"{neuron}-{dtype}", marks=marks)


def test_the_usual_neurons_are_neurons() -> None:
    assert set(USUAL) < set(map(str, NEURONS))


@pytest.mark.parametrize(("neuron", "dtype"), list(in_dtypes()), indirect=["neuron"])
@pytest.mark.parametrize("steps", [0, 3], ids=["before_forward", "after_forward"])
def test_every_floating_dtype_goes_forward_and_backward(
    neuron: Any, dtype: torch.dtype, steps: int
) -> None:
    layer = neuron.build()
    if steps:
        neuron.run(layer, current(3, steps, 5))
        layer.zero_grad()
    layer.to(dtype)
    data = current(3, 6, 5).to(dtype).requires_grad_()
    output = neuron.run(layer, data)
    output.float().square().sum().backward()
    assert output.dtype == data.grad.dtype == dtype
    assert bool(data.grad.isfinite().all())
    assert bool(data.grad.any())
    for name, parameter in layer.named_parameters():
        assert parameter.dtype == dtype
        assert (parameter.grad is not None) == parameter.requires_grad, name


@pytest.mark.parametrize("steps", [0, 3], ids=["before_forward", "after_forward"])
def test_moves_to_another_device(neuron: Any, steps: int) -> None:
    layer = neuron.build()
    if steps:
        neuron.run(layer, current(3, steps, 5))
    layer.to("meta")
    assert {x.device.type for x in tensors(layer).values()} == {"meta"}
    assert neuron.run(layer, torch.empty(3, 6, 5, device="meta")).device.type == "meta"


def test_one_step_is_the_first_of_many(neuron: Any) -> None:
    data = current(3, 12, 5)
    many = neuron.run(neuron.build(), data)
    assert torch.equal(neuron.run(neuron.build(), data[:, :1]), many[:, :1])


def test_no_step_changes_nothing(neuron: Any) -> None:
    layer, other = neuron.build(record_states=True), neuron.build()
    for each in (layer, other):
        neuron.run(each, current(3, 6, 5))
    assert neuron.run(layer, current(3, 0, 5)).shape == (3, 0, 5)
    assert {x.shape for x in layer.recordings.values()} == {(3, 0, 5)}
    assert_same_states(layer, other)


def test_an_empty_batch_passes(neuron: Any) -> None:
    layer = neuron.build(record_states=True)
    data = current(0, 6, 5).requires_grad_()
    output = neuron.run(layer, data)
    output.sum().backward()
    assert output.shape == data.grad.shape == (0, 6, 5)
    assert layer.shape == (0, 5)


def test_no_neuron_axis_is_one_neuron(neuron: Any) -> None:
    data, bare, single = current(3, 12), neuron.build(), neuron.build()
    assert torch.equal(neuron.run(bare, data), neuron.run(single, data.unsqueeze(-1)).squeeze(-1))
    assert bare.shape == (3,)


def test_neuron_axes_are_independent_places(neuron: Any) -> None:
    data, maps, flat = current(3, 7, 2, 3, 5), neuron.build(), neuron.build()
    assert torch.equal(neuron.run(maps, data).flatten(2), neuron.run(flat, data.flatten(2)))
    assert maps.shape == (3, 2, 3, 5)


LAYOUTS = {
    "time_first": lambda: current(7, 3, 5).transpose(0, 1),
    "neurons_first": lambda: current(5, 7, 3).permute(2, 1, 0),
    "every_second_step": lambda: current(3, 14, 5)[:, ::2],
    "expanded_over_time": lambda: current(3, 1, 5).expand(3, 7, 5),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_does_not_matter(neuron: Any, layout: str) -> None:
    def run(data: Tensor) -> tuple[Tensor, Tensor]:
        output = neuron.run(neuron.build(), data)
        return output, torch.autograd.grad(output.square().sum(), data)[0]

    scattered = LAYOUTS[layout]()
    dense = scattered.contiguous()
    assert scattered.stride() != dense.stride()
    output, gradient = run(scattered.requires_grad_())
    dense_output, dense_gradient = run(dense.requires_grad_())
    assert torch.equal(output, dense_output)
    assert torch.equal(gradient, dense_gradient)


def test_no_two_layers_share_a_tensor(neuron: Any) -> None:
    one, other = neuron.build(shape=(3, 5)), neuron.build(shape=(3, 5))
    assert addresses(one).isdisjoint(addresses(other))
    assert len(addresses(one)) == len(tensors(one))


def test_the_callers_tensors_are_copied(neuron: Any) -> None:
    given = {k: torch.tensor(v) for k, v in neuron.arguments.items() if type(v) is float}
    layer = neuron.build(**given)
    assert addresses(layer).isdisjoint(x.data_ptr() for x in given.values())
    data = current(3, 6, 5)
    before = data.clone()
    state = torch.ones(3, 5)
    layer.init_state_with_shape((3, 5))
    layer.v_mem = state
    neuron.run(layer, data)
    assert torch.equal(data, before)
    assert torch.equal(state, torch.ones(3, 5))


def test_after_a_reset_a_layer_is_as_new(neuron: Any) -> None:
    layer, data = neuron.build(), current(3, 12, 5)
    first = neuron.run(layer, data)
    layer.reset_states()
    assert not any(state.any() or state.requires_grad for state in layer.states().values())
    assert torch.equal(neuron.run(layer, data), first)


@pytest.mark.parametrize("reset", [False, True])
def test_training_goes_on_after_inference_mode(neuron: Any, reset: bool) -> None:
    layer, other, data = neuron.build(), neuron.build(), current(3, 6, 5).requires_grad_()
    with torch.inference_mode():
        neuron.run(layer, current(3, 6, 5, seed=1))
    with torch.no_grad():
        neuron.run(other, current(3, 6, 5, seed=1))
    gradients = []
    for each in (layer, other):
        if reset:
            each.reset_states()
        gradients += torch.autograd.grad(neuron.run(each, data).square().sum(), data)
    assert torch.equal(*gradients)
    assert bool(gradients[0].any())


def test_random_states_lie_in_their_ranges(neuron: Any) -> None:
    layer = neuron.build(shape=(40, 50))
    layer.reset_states(randomize=True, value_ranges={"v_mem": (-2.0, -1.0)})
    for name, state in layer.states().items():
        low, high = (-2.0, -1.0) if name == "v_mem" else (0.0, 1.0)
        assert low <= state.min() < low + 0.1
        assert high - 0.1 < state.max() <= high
    with pytest.raises(ValueError, match="v_men"):
        layer.reset_states(randomize=True, value_ranges={"v_men": (0.0, 1.0)})


def test_repr_names_the_class_and_the_parameters(neuron: Any) -> None:
    text = repr(neuron.build())
    assert text.startswith(neuron.layer_class.__name__ + "(")
    assert all(name in text for name, _ in neuron.build().named_parameters())


def test_recordings_are_the_states_after_each_step(neuron: Any) -> None:
    data, layer = current(3, 6, 5).requires_grad_(), neuron.build(record_states=True)
    neuron.run(layer, data)
    assert set(layer.recordings) - {"spike_threshold"} == set(layer.states())  # a state for sinabs
    for steps in range(1, 7):
        prefix = neuron.build()
        neuron.run(prefix, data[:, :steps])
        for name, recording in layer.recordings.items():
            state = getattr(prefix, name)
            assert torch.equal(recording[:, steps - 1], state)
            (got,) = torch.autograd.grad(recording[:, steps - 1].sum(), data, retain_graph=True)
            (want,) = torch.autograd.grad(state.sum(), data, retain_graph=True)
            torch.testing.assert_close(got, want)
            assert bool(got.any())


def test_nothing_is_recorded_unless_asked(neuron: Any) -> None:
    layer = neuron.build()
    neuron.run(layer, current(3, 6, 5))
    assert layer.recordings == {}


@pytest.mark.parametrize("shape", [(2, 6, 5), (4, 6, 5), (3, 6, 4)], ids=str)
def test_other_shapes_start_from_zeros_with_one_warning(
    neuron: Any, shape: tuple[int, ...]
) -> None:
    layer = neuron.build()
    neuron.run(layer, current(3, 6, 5))
    with pytest.warns(UserWarning, match="reset_states") as caught:
        output = neuron.run(layer, current(*shape))
    assert len(caught) == 1
    assert torch.equal(output, neuron.run(neuron.build(), current(*shape)))


def test_other_shapes_after_a_reset_do_not_warn(neuron: Any) -> None:
    layer = neuron.build()
    neuron.run(layer, current(3, 6, 5))
    layer.reset_states()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output = neuron.run(layer, current(2, 6, 5))
    assert torch.equal(output, neuron.run(neuron.build(), current(2, 6, 5)))
