"""Spiking max pooling: the winner is the input with the most spikes so far."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from picojoule.layers import (
    SpikingMaxPooling2dLayer,
    SpikingMaxPooling2dLayerSqueeze,
    reset_states,
)
from tests.conftest import compiling


def spikes(*shape: int, seed: int = 0, rate: float = 0.4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < rate).float()


def by_hand(data: Tensor, size: int) -> Tensor:
    """One sample, `t h w`, windows of `size` by `size` without overlap, in nested loops."""
    time, height, width = data.shape
    out = torch.zeros(time, height // size, width // size)
    counts = torch.zeros(height, width)
    for t in range(time):
        counts += data[t]
        for row in range(height // size):
            for column in range(width // size):
                rows = slice(row * size, (row + 1) * size)
                columns = slice(column * size, (column + 1) * size)
                x, n = data[t, rows, columns], counts[rows, columns]
                if ((x > 0) & (n == n.max())).any():
                    out[t, row, column] = x.max()
    return out


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_sample_and_channel_is_what_nested_loops_give(size: int) -> None:
    data = spikes(3, 8, 2, 6, 6)
    output = SpikingMaxPooling2dLayer(size)(data)
    for sample, channel in np.ndindex(3, 2):
        assert torch.equal(output[sample, :, channel], by_hand(data[sample, :, channel], size))
    assert 0 < output.sum() <= data.sum()


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 0, 2, 1)])
@pytest.mark.parametrize(
    ("size", "strides"), [((2, 2), None), ((2, 3), (1, 2)), ((3, 1), (2, 1)), ((1, 1), (2, 2))]
)
def test_one_sample_gives_what_sinabs_gives(
    size: tuple[int, int], strides: tuple[int, int] | None, padding: tuple[int, ...]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("sinabs.layers").SpikingMaxPooling2dLayer
    for seed, scale in ((0, 1.0), (1, 2.0)):
        results = []
        for layer_class in (SpikingMaxPooling2dLayer, theirs):
            data = (scale * spikes(9, 3, 7, 6, seed=seed)).requires_grad_()
            layer = layer_class(size, strides, padding)
            output = layer(data)
            (output * torch.arange(output.numel()).reshape(output.shape)).sum().backward()
            shape = layer.get_output_shape((3, 7, 6))
            results.append((output, data.grad, torch.tensor(shape)))
        for got, want in zip(*results, strict=True):
            assert torch.equal(got, want)
        assert results[0][0].any()


def test_two_halves_equal_the_whole() -> None:
    data, whole, halves = spikes(3, 9, 2, 4, 4), *(SpikingMaxPooling2dLayer(2) for _ in range(2))
    parts = [halves(part) for part in data.split([4, 0, 5], dim=1)]
    assert torch.equal(whole(data), torch.cat(parts, 1))
    assert torch.equal(whole.spike_count, halves.spike_count)
    assert torch.equal(whole.spike_count, data.sum(1))


def test_a_sample_does_not_depend_on_its_neighbours() -> None:
    data = spikes(3, 9, 2, 4, 4)
    together = SpikingMaxPooling2dLayer(2)(data)
    for b in range(3):
        assert torch.equal(SpikingMaxPooling2dLayer(2)(data[b]), together[b])


@pytest.mark.parametrize("sizes", [{"batch_size": 3}, {"num_timesteps": 9}], ids=str)
def test_a_folded_batch_is_counted_sample_by_sample(sizes: dict[str, int]) -> None:
    data = spikes(3, 9, 2, 4, 4)
    folded = SpikingMaxPooling2dLayerSqueeze(pool_size=2, **sizes)
    assert torch.equal(folded(data.flatten(0, 1)), SpikingMaxPooling2dLayer(2)(data).flatten(0, 1))
    assert folded.spike_count.shape == (3, 2, 4, 4)


def test_resetting_the_model_forgets_the_counts() -> None:
    layer, data = SpikingMaxPooling2dLayer(2), spikes(2, 9, 2, 4, 4)
    first = layer(data)
    assert not torch.equal(layer(data), first)
    reset_states(layer)
    assert torch.equal(layer(data), first)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_like_the_original(duplicate: object) -> None:
    layer = SpikingMaxPooling2dLayer((2, 2), padding=(1, 1, 0, 0))
    layer(spikes(2, 5, 2, 4, 4))
    twin, loaded = duplicate(layer), SpikingMaxPooling2dLayer((2, 2), padding=(1, 1, 0, 0))
    loaded.load_state_dict(layer.state_dict())
    more = spikes(2, 5, 2, 4, 4, seed=1)
    assert repr(twin) == repr(layer)
    want = layer(more)
    assert torch.equal(twin(more), want)
    assert torch.equal(loaded(more), want)


@compiling
def test_compiled_and_exported_layers_go_on_like_the_original() -> None:
    layer, first, second = (
        SpikingMaxPooling2dLayer(2),
        spikes(2, 3, 1, 4, 4),
        spikes(2, 3, 1, 4, 4, seed=1),
    )
    layer(first)
    compiled, traced = copy.deepcopy(layer), copy.deepcopy(layer)
    program = torch.export.export(traced, (second,)).module()
    want = layer(second)
    assert torch.equal(program(second), want)
    assert torch.equal(torch.compile(compiled, backend="aot_eager", fullgraph=True)(second), want)
    assert torch.equal(compiled.spike_count, layer.spike_count)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_dtypes_are_kept_and_counts_stay_whole(dtype: torch.dtype) -> None:
    layer, data = SpikingMaxPooling2dLayer(2), spikes(1, 600, 1, 2, 2, rate=0.9)
    output = layer(data.to(dtype))
    assert output.dtype == dtype
    assert torch.equal(output.float(), SpikingMaxPooling2dLayer(2)(data))
    assert torch.equal(layer.spike_count.float(), data.sum(1))  # beyond 256, where bfloat16 stops


@pytest.mark.parametrize("shape", [(2, 0, 1, 4, 4), (0, 5, 1, 4, 4), (0, 1, 4, 4)], ids=str)
def test_nothing_in_gives_nothing_out(shape: tuple[int, ...]) -> None:
    output = SpikingMaxPooling2dLayer(2)(torch.zeros(shape))
    assert output.shape == (*shape[:-2], 2, 2)


@pytest.mark.parametrize("sequence", [list, tuple, np.array, torch.Size])
def test_sizes_are_any_sequence(sequence: type) -> None:
    layer = SpikingMaxPooling2dLayer(sequence((2, 3)), sequence((1, 2)), sequence((0, 1, 0, 1)))
    assert layer.get_output_shape(sequence((3, 7, 6))) == (3, 7, 3)
    assert layer.get_output_shape(sequence((2, 9, 3, 7, 6))) == (2, 9, 3, 7, 3)
    assert layer(torch.zeros(9, 3, 7, 6)).shape == (9, 3, 7, 3)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (
            torch.zeros(3, 4, 4),
            ValueError,
            r"has shape \(3, 4, 4\), expected \(batch, time, channel",
        ),
        (torch.zeros(1, 2, 1, 4, 4, dtype=torch.long), TypeError, "torch.int64.*float"),
        (torch.zeros(1, 2, 1, 1, 4), ValueError, r"no window of \(2, 2\) fits"),
    ],
)
def test_inputs_that_do_not_fit_are_named(data: Tensor, error: type, text: str) -> None:
    layer = SpikingMaxPooling2dLayer(2)
    with pytest.raises(error, match=text):
        layer(data)
    assert layer.shape is None


@pytest.mark.parametrize(
    "arguments",
    [{"pool_size": 0}, {"pool_size": 2, "strides": (1, 0)}, {"pool_size": 2, "padding": (1, 1)}],
    ids=str,
)
def test_sizes_out_of_range_are_named(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected sizes >= 1 and four paddings"):
        SpikingMaxPooling2dLayer(**arguments)


def test_exact_output_has_fired_as_often_as_the_foremost_input_at_any_time() -> None:
    data = torch.randint(0, 3, (2, 20, 3, 5, 6)).float()
    layer = SpikingMaxPooling2dLayer((3, 2), strides=(2, 1), padding=(1, 1, 1, 0), exact=True)
    whole = layer(data)
    counts = torch.nn.functional.pad(data.cumsum(1).flatten(0, 1), (1, 1, 1, 0))
    expected = torch.nn.functional.max_pool2d(counts, (3, 2), (2, 1)).unflatten(0, (2, 20))
    assert torch.equal(whole.cumsum(1), expected)
    assert (whole >= 0).all()
    layer.reset_states()
    halves = torch.cat([layer(data[:, :7]), layer(data[:, 7:])], 1)
    assert torch.equal(halves, whole)


def test_exact_pools_currents_of_either_sign_and_a_border_never_wins() -> None:
    data = -torch.rand(1, 4, 1, 2, 2)
    layer = SpikingMaxPooling2dLayer(2, padding=(1, 1, 1, 1), exact=True)
    torch.testing.assert_close(layer(data), data)


def test_exact_gradients_flow_through_the_counts() -> None:
    # the left input is foremost in the end: every of its spikes counts, no other
    data = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]).reshape(1, 3, 1, 1, 2)
    data.requires_grad_()
    SpikingMaxPooling2dLayer((1, 2), exact=True)(data).sum().backward()
    assert data.grad.flatten().tolist() == [1, 0, 1, 0, 1, 0]
