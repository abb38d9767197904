"""sinabs as a witness: the same LeNet, watched and trained by both."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
import picojoule.hooks
import picojoule.layers

pytestmark = pytest.mark.usefixtures("plain_pytorch")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs = pytest.importorskip("sinabs")
    pytest.importorskip("sinabs.hooks")
    pytest.importorskip("sinabs.layers")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The same order of additions on any machine, and no threads waiting for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def lenet(library: Any, first_pool: type[nn.Module] | None) -> nn.Sequential:
    """The LeNet of sinabs' tutorial, its first pooling replaced if asked for."""
    torch.manual_seed(1)
    sl = library.layers
    model = nn.Sequential(
        sl.FlattenTime(),
        nn.Conv2d(1, 16, 5, bias=False),
        sl.IAFSqueeze(batch_size=5),
        (first_pool or sl.SumPool2d)(2),
        nn.Conv2d(16, 32, 5, bias=False),
        sl.IAFSqueeze(batch_size=5),
        sl.SumPool2d(2),
        nn.Conv2d(32, 120, 4, bias=False),
        sl.IAFSqueeze(batch_size=5),
        nn.Flatten(),
        nn.Linear(120, 10, bias=False),
        sl.IAFSqueeze(batch_size=5),
        sl.UnflattenTime(batch_size=5),
    )
    library.hooks.register_synops_hooks(model, dt=0.002)
    for index in (2, 5, 8, 11):
        model[index].register_forward_hook(library.hooks.firing_rate_hook)
        model[index].register_forward_hook(library.hooks.firing_rate_per_neuron_hook)
    return model


def everything_stored(model: nn.Sequential) -> list[Tensor]:
    stored = []
    for module in (*model, model):
        for _, value in sorted(getattr(module, "hook_data", {}).items()):
            stored += value.values() if isinstance(value, dict) else [value]
    return stored


def train_and_record(library: Any, first_pool: type[nn.Module] | None, steps: int) -> list[Tensor]:
    model = lenet(library, first_pool)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    recorded = []
    for step in range(steps + 1):
        library.reset_states(model)
        library.zero_grad(model)
        optimizer.zero_grad()
        recorded.append(model(torch.ones(5, 10, 1, 28, 28)).detach())
        recorded += [value.detach() for value in everything_stored(model)]
        if step == steps:
            break
        synops = model.hook_data["synops_per_timestep"].values()
        rates = [model[i].hook_data["firing_rate_per_neuron"] for i in (2, 5, 8, 11)]
        loss = sum(0.01 * torch.relu(count - 1e5) ** 2 for count in synops)
        loss = loss + sum((torch.relu(0.5 - rate) ** 2).sum() for rate in rates)
        loss.backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert len(gradients) == 4
        assert all(bool(gradient.any()) for gradient in gradients)
        recorded += [gradient.clone() for gradient in gradients]
        optimizer.step()
    recorded += [p.detach() for p in model.parameters()]
    return recorded


@pytest.mark.parametrize("first_pool", [None, nn.AvgPool2d])
def test_every_stored_value_and_gradient_is_the_same_through_training(
    first_pool: type[nn.Module] | None,
) -> None:
    ours, theirs = (train_and_record(library, first_pool, 5) for library in (picojoule, sinabs))
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine, other)


def test_what_is_stored_has_the_same_names() -> None:
    names = []
    for library in (picojoule, sinabs):
        model = lenet(library, None)
        model(torch.ones(5, 2, 1, 28, 28))
        names.append([sorted(getattr(module, "hook_data", {})) for module in (*model, model)])
        names[-1].append(list(model.hook_data["synops_per_timestep"]))
    assert names[0] == names[1]
    assert names[0][-1] == [1, 4, 7, 10]


@pytest.mark.parametrize("kernel", [1, 3, (2, 5)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("padding", "groups", "dilation"), [(0, 1, 1), (2, 2, 1), (1, 2, 2)])
def test_connection_maps_are_the_same(
    kernel: Any, stride: int, padding: int, groups: int, dilation: int
) -> None:
    layer = nn.Conv2d(
        4, 6, kernel, stride=stride, padding=padding, groups=groups, dilation=dilation
    )
    output_shape = layer(torch.zeros(1, 4, 12, 11)).shape[1:]
    ours, theirs = (
        library.hooks.conv_connection_map(layer, (4, 12, 11), output_shape)
        for library in (picojoule, sinabs)
    )
    assert torch.equal(ours, theirs)
