"""Whole networks on a GPU: counted as on the CPU, trained without waiting, captured, compiled."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule import layers
from picojoule.budget import rate_shortfall, synops_excess
from picojoule.ops import lif
from picojoule.training.networks.lenet import lenet

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
BATCH, STEPS = 4, 5
LABELS = [3, 1, 4, 1]


def exact_lenet() -> nn.Sequential:
    """Weights whose sums are exact in any order: CPU and GPU give the same spikes."""
    torch.manual_seed(0)
    model = lenet(BATCH)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("weight"):
                weight.copy_(torch.randint(-4, 5, weight.shape) / 16)
    return model


def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(BATCH, STEPS, 1, 28, 28, generator=generator) < 0.3).float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_counts_are_those_of_the_cpu(dtype: torch.dtype) -> None:
    counts = {}
    for device in ("cpu", "cuda"):
        model = exact_lenet().to(device)
        with picojoule.Monitor(model) as monitor, torch.autocast(device, dtype, dtype != torch.float32):  # fmt: skip
            model(images().to(device))
        read = (monitor.synops, monitor.rates)
        counts[device] = [value.mean().item() for each in read for value in each.values()]
    assert min(counts["cpu"]) > 0
    assert counts["cuda"] == pytest.approx(counts["cpu"], rel=1e-6)


class Training:
    """A training step with every layer counted, and both terms of the seed's loss."""

    def __init__(self) -> None:
        self.model = exact_lenet().cuda()
        self.monitor = picojoule.Monitor(self.model).attach()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        self.images, self.labels = images().cuda(), torch.tensor(LABELS, device="cuda")

    def losses(self) -> tuple[Tensor, Tensor]:
        self.optimizer.zero_grad(set_to_none=False)
        picojoule.reset_states(self.model)
        task = F.cross_entropy(self.model(self.images).sum(1), self.labels)
        penalty = synops_excess(self.monitor.synops.values(), 10.0)
        penalty = penalty + rate_shortfall(self.monitor.rates.values(), 2.0)
        (task + penalty).backward()
        return task.detach(), penalty.detach()


# PyTorch's own, about the mode
@pytest.mark.filterwarnings("ignore:Synchronization debug mode:UserWarning")
def test_a_watched_training_step_waits_for_nothing() -> None:
    training = Training()
    for _ in range(2):  # maps of fan-outs are made, kernels compiled
        training.losses()
        training.optimizer.step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        training.losses()
        training.optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_watched_training_step_in_a_cuda_graph() -> None:
    eager, captured = Training(), Training()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            captured.losses()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # on the stream of the steps before, whose graph the Monitor still holds
    with torch.cuda.graph(graph, stream=stream):
        task, penalty = captured.losses()
    captured.images.copy_(1 - captured.images)
    eager.images.copy_(1 - eager.images)
    graph.replay()
    for _ in range(2):
        expected = eager.losses()
    torch.testing.assert_close((task, penalty), expected)
    for have, want in zip(captured.model.parameters(), eager.model.parameters(), strict=True):
        torch.testing.assert_close(have.grad, want.grad, rtol=1e-3, atol=1e-5)
    for name, count in captured.monitor.synops.items():
        assert count == eager.monitor.synops[name]


def test_a_budget_is_kept() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 50), layers.IAF(), nn.Linear(50, 2)).cuda()
    monitor = picojoule.Monitor(model).attach()
    budget = picojoule.Budget(monitor, synops_per_timestep={"2": 10.0})
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x = torch.ones(8, 10, 4, device="cuda")
    for _ in range(300):
        picojoule.reset_states(model)
        optimizer.zero_grad()
        (budget.penalty() - model(x).mean()).backward()
        optimizer.step()
        budget.step()
    assert budget.met
    assert 5 < monitor.synops["2"] <= 10


def test_compiled_by_inductor_as_one_graph() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), layers.LIF(tau_mem=5.0), nn.Linear(30, 4)).cuda()
    x = torch.rand(2, 7, 20, device="cuda")
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True)
    expected, came = model(x), compiled(x)
    torch.testing.assert_close(came, expected)
    for loss in (expected, came):
        loss.square().sum().backward()
    for have, want in zip(compiled.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(have.grad, want.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_trains_in_half_precision(dtype: torch.dtype) -> None:
    model, x = exact_lenet().cuda(), images().cuda()
    with torch.autocast("cuda", dtype):
        loss = F.cross_entropy(model(x).sum(1).float(), torch.tensor(LABELS, device="cuda"))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("layer", [layers.LIFRecurrent, layers.ALIFRecurrent])
def test_recurrent_layers(layer: type[Any]) -> None:
    torch.manual_seed(0)
    connect = nn.Linear(6, 6)
    with torch.no_grad():
        connect.weight.copy_(torch.randint(-2, 3, (6, 6)) / 4)
        connect.bias.zero_()
    taus = (5.0, 5.0) if layer is layers.ALIFRecurrent else (5.0,)
    model = layer(*taus, rec_connect=connect, norm_input=False)
    x = torch.randint(0, 3, (3, 8, 6)) / 2
    expected = copy.deepcopy(model)(x)
    assert 0 < expected.mean() < 2
    came = model.cuda()(x.cuda())
    assert torch.equal(came.cpu(), expected)
    came.sum().backward()
    assert connect.weight.grad is not None


def test_long_sequences_in_pieces_of_time() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), layers.IAF()).cuda()
    x = torch.rand(2, 40, 8, device="cuda")
    whole = model(x)
    picojoule.reset_states(model)
    pieces = picojoule.checkpoint_time(model, x, steps=10)
    assert torch.equal(whole, pieces)


@pytest.mark.slow
def test_more_than_two_to_the_31_elements() -> None:
    torch.manual_seed(0)
    shape = (3, 90, 2**23)
    assert shape[0] * shape[1] * shape[2] > 2**31
    x = torch.rand(shape, device="cuda", dtype=torch.bfloat16).requires_grad_()
    spikes = lif(x, alpha_mem=0.9, impl="triton").spikes
    weights = torch.rand(90, 1, device="cuda", dtype=torch.bfloat16)
    (whole,) = torch.autograd.grad((spikes * weights).sum(dtype=torch.float32), x)
    ends = slice(2**23 - 1024, None)
    last = x.detach()[2:, :, ends].clone().requires_grad_()
    alone = lif(last, alpha_mem=0.9, impl="triton").spikes
    assert torch.equal(spikes[2:, :, ends], alone)
    (expected,) = torch.autograd.grad((alone * weights).sum(dtype=torch.float32), last)
    assert torch.equal(whole[2:, :, ends], expected)
