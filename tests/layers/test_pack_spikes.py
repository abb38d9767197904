"""Spikes packed for the backward pass: the same gradients to the bit, fewer bytes, nothing else touched."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

import picojoule
from picojoule import checkpoint_time, pack_spikes
from picojoule.activation import SingleSpike
from picojoule.layers import IAF, LIF, IAFSqueeze
from picojoule.layers.packed_spikes import BLOCK, PackedSpikes, pack
from picojoule.training.networks.lenet import lenet
from tests.conftest import compiling

SPIKES = (torch.arange(4000) % 3 == 0).float().reshape(10, 400)


@contextmanager
def saved(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is kept of each tensor that is saved: the tensor, or its `PackedSpikes`."""
    kept: list[Any] = []

    def counting(save: Callable[[Tensor], Any], give_back: Callable[[Any], Tensor]) -> Any:
        def count(tensor: Tensor) -> Any:
            result = save(tensor)
            kept.append(result[0])
            return result

        return saved_tensors_hooks(count, give_back)

    with monkeypatch.context() as patch:
        patch.setattr(torch.autograd.graph, "saved_tensors_hooks", counting)
        yield kept


def num_bytes(kept: list[Any]) -> int:
    """Of each thing once, however often it was saved."""
    sizes = {}
    for part in kept:
        data = part.kept if isinstance(part, PackedSpikes) else part
        sizes[data.untyped_storage().data_ptr()] = data.untyped_storage().nbytes()
    return sum(sizes.values())


def kept_of(spikes: Tensor, monkeypatch: pytest.MonkeyPatch, **options: int) -> list[Any]:
    """What a product with one weight keeps of the spikes, and of the weight."""
    weight = torch.ones((), requires_grad=True)
    with saved(monkeypatch) as kept, pack_spikes(**options):
        product = spikes * weight
    (grad,) = torch.autograd.grad(product.sum(), weight)
    assert (
        torch.equal(
            grad,
            spikes.sum(),
        )
        or not spikes.isfinite().all()
    )
    return [part for part in kept if part is not weight]


def learned(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def gradients(model: nn.Module, x: Tensor, context: Any, call: Any = None) -> list[Tensor]:
    picojoule.reset_states(model)
    x = x.clone().requires_grad_()
    with context:
        out = (call or model)(x)
    rates = [m.firing_rate for m in model.modules() if isinstance(m, IAF | LIF)]
    loss = out.square().sum() + sum(rate.square() for rate in rates if rate is not None)
    return [out, *torch.autograd.grad(loss, [x, *learned(model)])]


def assert_same(model: nn.Module, x: Tensor, call: Any = None, context: Any = None) -> None:
    plain = gradients(model, x, nullcontext())
    packed = gradients(model, x, context or pack_spikes(min_bytes=0), call)
    assert plain[0].any()
    assert plain[1].any()
    assert all(torch.equal(one, other) for one, other in zip(plain, packed, strict=True))


def network() -> nn.Sequential:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(6, 40), IAF(), nn.Linear(40, 30), LIF(tau_mem=5.0, spike_fn=SingleSpike),
        nn.Linear(30, 3), IAF(),
    )  # fmt: skip
    with torch.no_grad():
        for layer in model[::2]:
            layer.weight *= 3  # enough for spikes at the end
    return model


X = 5 * torch.rand(4, 20, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_gradients_are_the_same_to_the_bit(impl: str, channels_last: bool) -> None:
    model, x = lenet(batch_size=2), 3 * torch.rand(2, 5, 1, 28, 28)
    for layer in model.modules():
        if isinstance(layer, IAFSqueeze):
            layer.impl = impl
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    assert_same(model, x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("highest", "values_a_byte"), [(1, 8), (255, 1)])
def test_what_is_packed_takes_a_bit_or_a_byte(
    dtype: torch.dtype, highest: int, values_a_byte: int
) -> None:
    for numel in (1, 9, BLOCK - 1, BLOCK, 2 * BLOCK + 3):
        values = torch.randint(highest + 1, (numel,)).to(dtype)
        values[-1] = highest
        packed = pack(values)
        assert packed is not None
        assert packed.kept.nbytes == -(-numel // values_a_byte)
        came = torch.full_like(values, torch.nan)
        packed.unpack(came)
        assert torch.equal(came, values)


@pytest.mark.parametrize("place", [0, BLOCK, BLOCK + 100])
@pytest.mark.parametrize("value", [256.0, -1.0, 0.5, -0.0, float("nan"), float("inf"), 1e-40])
def test_one_other_value_leaves_the_tensor_as_it_is(
    value: float, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spikes = torch.ones(BLOCK + 101)
    (packed,) = kept_of(spikes, monkeypatch)
    assert isinstance(packed, PackedSpikes)
    spikes[place] = value
    (kept,) = kept_of(spikes, monkeypatch)
    assert kept.data_ptr() == spikes.data_ptr()


def test_the_bytes_of_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = network()[1:5], torch.rand(4, 20, 40)
    with saved(monkeypatch) as kept, pack_spikes(min_bytes=4 * 4 * 20 * 30):
        model(x)
    packed = [part for part in kept if isinstance(part, PackedSpikes)]
    numbers = {part.numel: part for part in packed}
    assert numbers[4 * 20 * 40].kept.nbytes == 4 * 20 * 40 // 8  # IAF of inputs below 1
    assert numbers[4 * 20 * 30].kept.nbytes == 4 * 20 * 30 // 8
    with saved(monkeypatch) as floats, pack_spikes(min_bytes=10**9):
        picojoule.reset_states(model)
        model(x)
    spikes = 4 * 20 * (40 + 30)
    assert num_bytes(floats) - num_bytes(kept) == 4 * spikes - spikes // 8


def test_only_what_is_worth_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    padded = torch.zeros(10, 500)[:, :400]
    for plain in (SPIKES.int(), padded, SPIKES[1:], torch.ones(1).expand(10, 400)):
        (kept,) = kept_of(plain, monkeypatch, min_bytes=0)
        assert kept.data_ptr() == plain.data_ptr()
    (kept,) = kept_of(SPIKES, monkeypatch, min_bytes=SPIKES.nbytes + 1)
    assert kept.data_ptr() == SPIKES.data_ptr()
    (kept,) = kept_of(SPIKES.t(), monkeypatch, min_bytes=SPIKES.nbytes)
    assert isinstance(kept, PackedSpikes)


def test_parameters_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.Linear(400, 50)
    nn.init.ones_(layer.weight)
    with saved(monkeypatch) as kept, pack_spikes(min_bytes=0):
        layer(torch.rand(3, 400).requires_grad_())
    weights = [part for part in kept if isinstance(part, Tensor) and part.numel() == 20000]
    assert [part.data_ptr() for part in weights] == [layer.weight.data_ptr()]
    assert not any(isinstance(part, PackedSpikes) for part in kept)


def test_the_same_memory_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [torch.rand((), requires_grad=True) for _ in range(3)]
    spikes = SPIKES.clone()
    with saved(monkeypatch) as kept, pack_spikes(min_bytes=0):
        products = [spikes * weights[0], spikes.view(-1) * weights[1]]
        spikes = spikes + 1  # other values, perhaps at the same address
        products.append(spikes * weights[2])
    one, again, other = [part for part in kept if isinstance(part, PackedSpikes)]
    assert one is again
    assert one is not other
    grads = torch.autograd.grad(sum(product.sum() for product in products), weights)
    assert [grad.item() for grad in grads] == [1334, 1334, 5334]


def test_a_change_in_place_is_seen() -> None:
    weight = torch.rand(400, requires_grad=True)
    spikes, dense = SPIKES.clone(), torch.rand(10, 400)
    with pack_spikes(min_bytes=0):
        before = (spikes * weight).sum()
        spikes += 1  # what was packed is a copy
        after = (spikes * weight).sum()
        floats = (dense * weight).sum()
    assert torch.equal(torch.autograd.grad(before, weight)[0], SPIKES.sum(0))
    assert torch.equal(torch.autograd.grad(after, weight)[0], SPIKES.sum(0) + 10)
    dense += 1
    with pytest.raises(RuntimeError, match=r"pack_spikes: a tensor of shape \(10, 400\).*in place"):
        floats.backward()


def test_nothing_outlives_the_graph() -> None:
    model = network()
    with pack_spikes(min_bytes=0):
        output = model(X)
        product = output.exp() * output
        alive = [weakref.ref(output), weakref.ref(product)]
        picojoule.reset_states(model)
        gc.disable()
        try:
            del output, product
            assert [part() for part in alive] == [None, None]
        finally:
            gc.enable()


def test_nested_and_again() -> None:
    @contextmanager
    def twice() -> Iterator[None]:
        with pack_spikes(), pack_spikes(min_bytes=0):
            yield

    assert_same(network(), X, context=twice())


def test_with_recomputation() -> None:
    model = network()

    def from_zeros(x: Tensor) -> Tensor:
        picojoule.reset_states(model)
        return model(x)

    def packed_inside(x: Tensor) -> Tensor:
        with pack_spikes(min_bytes=0):
            return from_zeros(x)

    assert_same(model, X, lambda x: checkpoint(from_zeros, x, use_reentrant=False))
    assert_same(
        model, X, lambda x: checkpoint(packed_inside, x, use_reentrant=False), nullcontext()
    )


def test_in_chunks_of_time() -> None:
    model = network()
    torch.manual_seed(0)
    chunks = gradients(model, X, nullcontext(), lambda x: checkpoint_time(model, x, steps=6))
    packed = gradients(
        model, X, pack_spikes(min_bytes=0), lambda x: checkpoint_time(model, x, steps=6)
    )
    assert all(torch.equal(one, other) for one, other in zip(chunks, packed, strict=True))


def test_without_gradients_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with saved(monkeypatch) as kept, pack_spikes(min_bytes=0), torch.no_grad():
        network()(X)
    assert kept == []


def test_a_second_derivative() -> None:
    weight = torch.full((400,), 0.5, requires_grad=True)
    with pack_spikes(min_bytes=0):
        (slope,) = torch.autograd.grad(((SPIKES * weight) ** 3).sum(), weight, create_graph=True)
        slope.sum().backward()
    assert torch.equal(weight.grad, 3.0 * SPIKES.sum(0))


@compiling
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_a_compiled_network_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    model = network()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    plain = gradients_alone(model, compiled, nullcontext())
    with saved(monkeypatch) as kept:
        packed = gradients_alone(model, compiled, pack_spikes(min_bytes=0))
    assert {4 * 20 * 40, 4 * 20 * 30} <= {p.numel for p in kept if isinstance(p, PackedSpikes)}
    assert all(torch.equal(one, other) for one, other in zip(plain, packed, strict=True))


@compiling
def test_compiled_itself_it_changes_nothing() -> None:
    torch._dynamo.reset()
    weight = torch.rand(400, requires_grad=True)

    @torch.compile(backend="aot_eager", fullgraph=True)
    def product(spikes: Tensor) -> Tensor:
        with pack_spikes(min_bytes=0):
            return (spikes * weight).sum()

    assert torch.equal(torch.autograd.grad(product(SPIKES), weight)[0], SPIKES.sum(0))


def gradients_alone(model: nn.Module, call: Any, context: Any) -> list[Tensor]:
    picojoule.reset_states(model)
    with context:
        out = call(X)
    return [out, *torch.autograd.grad(out.sum(), learned(model))]


def test_a_negative_size_is_refused() -> None:
    with (
        pytest.raises(ValueError, match="min_bytes=-1, expected 0 or more"),
        pack_spikes(min_bytes=-1),
    ):
        pass
