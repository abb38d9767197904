"""In chunks of time a sequence gives what it gives as a whole, and less of it is kept."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import checkpoint_time
from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ExpLeak,
    FlattenTime,
    IAFSqueeze,
    LIFRecurrent,
    LIFSqueeze,
    Repeat,
    SpikingMaxPooling2dLayer,
    UnflattenTime,
    stateful_layers,
)

B, T, N = 3, 11, 4
Build = Callable[[], nn.Module]


class TwoBranches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = LIF(4.0), nn.Sequential(nn.Linear(N, N), IAF(tau_syn=3.0))

    def forward(self, data: Tensor) -> Tensor:
        return self.left(data) + self.right(data)


MODELS: dict[str, Build] = {
    "sequential": lambda: nn.Sequential(
        nn.Linear(N, 6), LIF(4.0, tau_syn=3.0), nn.Sequential(nn.Linear(6, 5), IAF()), ExpLeak(3.0)
    ),
    "adaptive": lambda: nn.Sequential(nn.Linear(N, N), ALIF(4.0, 5.0, min_v_mem=-0.5)),
    "recurrent": lambda: LIFRecurrent(4.0, nn.Linear(N, N)),
    "branches": TwoBranches,
    "recording": lambda: nn.Sequential(nn.Linear(N, N), LIF(4.0, record_states=True)),
    "folded": lambda: nn.Sequential(
        FlattenTime(),
        nn.Unflatten(1, (1, 2, 2)),
        nn.Conv2d(1, 2, 3, padding=1),
        LIFSqueeze(tau_mem=4.0, batch_size=B),
        nn.Flatten(),
        UnflattenTime(B),
    ),
    "pooled": lambda: nn.Sequential(
        nn.Unflatten(2, (1, 2, 2)),
        Repeat(nn.Conv2d(1, 2, 1)),
        IAF(),
        SpikingMaxPooling2dLayer(2),
    ),
    "no state": lambda: nn.Sequential(nn.Linear(N, N), nn.Tanh()),
}
Run = Callable[[nn.Module, Tensor], Tensor]


def chunked(steps: int) -> Run:
    return lambda model, x: checkpoint_time(model, x, steps=steps)


def whole(model: nn.Module, x: Tensor) -> Tensor:
    return model(x)


def sequence(*, steps: int = T) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(B, steps, N, generator=generator, dtype=torch.float64)
    return (3 * x).requires_grad_()


def everything(run: Run, model: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, what is left in the layers, and the gradients of a loss over all of that."""
    output = run(model, x)
    left = []
    for _, layer in stateful_layers(model):
        left += [*layer.states().values(), *layer.recordings.values(), layer.firing_rate]
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (value * torch.randn(value.shape, generator=generator)).sum() for value in [output, *left]
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [x, *trained])
    assert all(gradient.any() for gradient in gradients)
    return [output, *left, *gradients]


def check_equal(model: nn.Module, steps: int, *, num_timesteps: int = T) -> None:
    model = model.double()
    for _, layer in stateful_layers(model):
        layer.impl = "reference"  # of every kind of layer; kernels would be compiled for each
    twin = copy.deepcopy(model)
    want = everything(whole, model, sequence(steps=num_timesteps))
    came = everything(chunked(steps), twin, sequence(steps=num_timesteps))
    torch.testing.assert_close(came, want)


@pytest.mark.parametrize("steps", [1, 4, T, 100])
@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_it_equals_the_plain_call(build: Build, steps: int) -> None:
    check_equal(build(), steps)


def test_a_single_time_step() -> None:
    check_equal(nn.Sequential(nn.Linear(N, N), LIF(4.0)), 5, num_timesteps=1)


def test_no_time_step_at_all() -> None:
    layer = LIF(4.0)
    assert checkpoint_time(layer, torch.rand(B, 0, N), steps=3).shape == (B, 0, N)
    assert torch.equal(layer.v_mem, torch.zeros(B, N))


def test_it_goes_on_from_a_state_and_gives_its_gradient() -> None:
    def run(call: Run) -> list[Tensor]:
        layer = LIF(4.0, tau_syn=3.0).double()
        start = torch.full((B, N), 0.5, dtype=torch.float64, requires_grad=True)
        layer.v_mem, layer.i_syn = start, start / 2
        output = call(layer, sequence())
        loss = output.square().sum() + layer.v_mem.sum()
        return [output, *layer.states().values(), *torch.autograd.grad(loss, start)]

    torch.testing.assert_close(run(chunked(4)), run(whole))


def test_calls_in_a_row_are_one_sequence() -> None:
    def run(call: Run) -> list[Tensor]:
        torch.manual_seed(0)
        model, x = MODELS["sequential"]().double(), sequence()
        outputs = [call(model, part) for part in x.split(6, dim=1)]
        return list(torch.autograd.grad(torch.cat(outputs, 1).square().sum(), x))

    torch.testing.assert_close(run(chunked(4)), run(whole))


def test_the_backward_pass_leaves_the_state_alone() -> None:
    model = MODELS["recording"]().double()
    output = checkpoint_time(model, sequence(), steps=4)
    layer = model[1]
    before = [layer.v_mem, layer._sums, layer.recordings]
    output.sum().backward()
    after = [layer.v_mem, layer._sums, layer.recordings]
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_a_failed_pass_leaves_the_state_alone() -> None:
    model = nn.Sequential(IAF(), nn.Linear(N, N))
    checkpoint_time(model, torch.rand(B, T, N), steps=4)
    before, calls = model[0].v_mem, []

    def fail_at_the_second(*_: Any) -> None:
        calls.append(None)
        if len(calls) == 2:
            raise RuntimeError("out of memory")

    model[1].register_forward_hook(fail_at_the_second)
    with pytest.raises(RuntimeError, match="out of memory"):
        checkpoint_time(model, torch.rand(B, T, N), steps=4)
    assert model[0].v_mem is before


def test_a_second_backward_is_explained_as_ever() -> None:
    model = nn.Sequential(nn.Linear(N, N), LIF(4.0)).double()
    checkpoint_time(model, sequence(), steps=4).sum().backward()
    output = checkpoint_time(model, sequence(), steps=4)
    with pytest.raises(RuntimeError, match=r"^LIF: .*reset_states.*zero_grad"):
        output.sum().backward()
    picojoule.reset_states(model)
    checkpoint_time(model, sequence(), steps=4).sum().backward()


def test_a_fault_of_the_rerun_is_not_taken_for_a_second_backward() -> None:
    model = nn.Sequential(nn.Linear(N, N), LIF(4.0)).double()
    output = checkpoint_time(model, sequence(), steps=4)

    def fail(*_: Any) -> None:
        raise RuntimeError("out of memory")

    model[0].register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        output.sum().backward()


def test_dropout_is_the_same_in_both_runs() -> None:
    def run(call: Run) -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(N, N), nn.Dropout(0.5), LIF(4.0), nn.Dropout(0.5)).double()
        x = sequence()
        output = call(model, x)
        drawn = torch.rand(3)  # before the backward pass, which draws again
        gradients = torch.autograd.grad(output.square().sum(), [x, *model[0].parameters()])
        return [output, drawn, *gradients, torch.rand(3)]

    def plain(model: nn.Module, x: Tensor) -> Tensor:
        return torch.cat([model(part) for part in x.split(4, dim=1)], dim=1)

    torch.testing.assert_close(run(chunked(4)), run(plain))


def test_without_gradients() -> None:
    model = MODELS["sequential"]().double().eval()
    with torch.no_grad():
        want = model(sequence())
        picojoule.reset_states(model)
        came = checkpoint_time(model, sequence(), steps=4)
    assert torch.equal(came, want)
    assert not came.requires_grad
    assert model[1].firing_rate is not None


def test_a_state_that_was_left_under_inference_mode() -> None:
    model = nn.Sequential(nn.Linear(N, N), LIF(4.0)).double()
    with torch.inference_mode():
        checkpoint_time(model, sequence(), steps=4)
    checkpoint_time(model, sequence(), steps=4).sum().backward()


def kept_elements(run: Run, model: nn.Module, x: Tensor) -> int:
    """Elements of the distinct memory that autograd keeps, input and parameters apart."""
    kept: dict[int, int] = {}
    own = {t.untyped_storage().data_ptr() for t in [x, *model.parameters()]}
    alive = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            alive.append(storage)  # so that no address is used again
            kept[storage.data_ptr()] = storage.nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run(model, x)
    return sum(kept.values())


@pytest.mark.parametrize(("impl", "kept"), [("reference", 4), ("auto", 3)])
def test_what_is_kept_of_a_chunk_is_its_states(impl: str, kept: int) -> None:
    steps, num_timesteps = 10, 100
    model = nn.Sequential(nn.Linear(N, N), LIF(4.0, tau_syn=3.0), nn.Linear(N, N), IAF()).double()
    for layer in (model[1], model[3]):
        layer.impl = impl
    x = sequence(steps=num_timesteps)
    plain = kept_elements(whole, copy.deepcopy(model), x)
    came = kept_elements(chunked(steps), model, x)
    states = 3 * B * N
    assert plain >= kept * num_timesteps * B * N
    assert came <= num_timesteps // steps * (states + 10)


def test_in_the_backward_pass_one_chunk_lives_at_a_time() -> None:
    alive, most = set(), [0]

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x.clone())
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (saved,) = ctx.saved_tensors
            alive.add(saved.shape[1])
            most[0] = max(most[0], saved.shape[1])
            return grad

    class Watch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return Watched.apply(x)

    x = sequence()
    checkpoint_time(nn.Sequential(IAF(), Watch()), x, steps=4).sum().backward()
    assert alive == {4, 3}
    assert most == [4]


class Remembers(nn.Module):
    """A module with a memory of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += x.detach().sum()
        return x + self.seen


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.neuron = IAF()

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(self.neuron(x))


class SumsTime(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(IAF(), nn.BatchNorm1d(T)),
            r"'1' \(BatchNorm1d\) takes its statistics .*\.eval",
        ),
        (nn.Sequential(nn.RNN(N, N, batch_first=True)), r"'0' \(RNN\) starts from its own first"),
        (
            IAFSqueeze(batch_size=2),
            r"'' \(IAFSqueeze\) has batch_size=2 .*set_batch_size\(layers, 3\)",
        ),
        (IAFSqueeze(num_timesteps=T), r"num_timesteps=11.*Build it with batch_size=3 alone"),
        (nn.Sequential(FlattenTime(), UnflattenTime(1)), r"'1' \(UnflattenTime\) has batch_size=1"),
        (IAFSqueeze(batch_size=B), r"gets an input of shape \(3, 5, 4\) .*FlattenTime"),
        (nn.Sequential(FlattenTime(), IAF()), r"'1' \(IAF\) gets an input of shape \(15, 4\)"),
        (Twice(), r"'neuron' \(IAF\) is called twice"),
        (Remembers(), r"changes the buffer 'seen'"),
        (SumsTime(), r"made \(3, 4\) of a chunk of time of shape \(3, 5, 4\)"),
        (nn.Sequential(IAF(), FlattenTime()), r"made \(15, 4\) of a chunk"),
    ],
)
def test_what_would_give_something_else_is_refused(model: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=f"^checkpoint_time: .*{message}"):
        checkpoint_time(model, torch.rand(B, T, N), steps=5)
    assert all(not layer.is_state_initialised() for _, layer in stateful_layers(model))


@pytest.mark.parametrize("steps", [0, -1, 2.0])
def test_a_chunk_has_a_step_at_least(steps: Any) -> None:
    with pytest.raises(ValueError, match=r"steps is .*, expected a whole number >= 1"):
        checkpoint_time(IAF(), torch.rand(B, T, N), steps=steps)


def test_an_input_without_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the input has shape \(4,\), expected \(batch, time"):
        checkpoint_time(IAF(), torch.rand(N), steps=2)


def test_batch_norm_that_is_frozen_runs() -> None:
    model = nn.Sequential(FlattenTime(), nn.BatchNorm1d(N), UnflattenTime(B), IAF()).double().eval()
    x = sequence()
    want = model(x).detach()
    picojoule.reset_states(model)
    assert torch.equal(checkpoint_time(model, x, steps=4), want)


def test_the_fused_kernels_run_in_chunks_too() -> None:
    def run(call: Run) -> list[Tensor]:
        torch.manual_seed(0)
        model, x = nn.Sequential(nn.Linear(N, N), LIF(4.0)), sequence().detach().float()
        model[1].impl = "cpu"
        output = call(model, x)
        return [output, *torch.autograd.grad(output.square().sum(), model[0].parameters())]

    torch.testing.assert_close(run(chunked(4)), run(whole))


def test_a_graph_that_is_retained_is_gone_through_again() -> None:
    x = sequence()
    loss = checkpoint_time(nn.Sequential(LIF(4.0)).double(), x, steps=4).square().sum()
    first, again = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, again)
