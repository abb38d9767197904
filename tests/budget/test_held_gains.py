"""Currents that no factor is put on: of layers that were frozen meanwhile, and before a normalisation that undoes it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule import Budget, Monitor
from picojoule.budget import BudgetWarning
from picojoule.layers import IAF

NAME = "synops_per_timestep of c"


class Net(nn.Module):
    """Two spiking layers; a function stands before the second, and makes a batch of each time step."""

    def __init__(self, between: Callable[[Tensor], Tensor] = nn.Identity()) -> None:  # noqa: B008
        super().__init__()
        torch.manual_seed(0)
        self.a, self.first, self.b = nn.Linear(6, 20), IAF(), nn.Linear(20, 30)
        self.between, self.second, self.c = between, IAF(), nn.Linear(30, 2)

    def forward(self, x: Tensor) -> Tensor:
        current = self.b(self.first(self.a(x)))
        current = self.between(current.flatten(0, 1)).view_as(current)
        return self.c(self.second(current))


def frames() -> Tensor:
    return (torch.rand(8, 10, 6, generator=torch.Generator().manual_seed(1)) < 0.5).float()


def begun(model: nn.Module, bound: float = 1.0) -> Budget:
    return Budget(Monitor(model).attach(), synops_per_timestep={"c": bound}, tighten=1.0)


def steps(model: nn.Module, budget: Budget, number: int, task: bool = False) -> None:
    """Steps in which gains alone change the weights."""
    for _ in range(number):
        picojoule.reset_states(model)
        y = model(frames())
        budget.backward(y.square().mean() if task else None)
        budget.step()
        model.zero_grad()


def run(model: nn.Module) -> Callable[[], object]:
    return lambda: model(frames())


def test_a_layer_that_is_frozen_in_training_is_left_alone_and_scaled_again_later() -> None:
    model = Net()
    budget = begun(model)
    steps(model, budget, 3)
    model.b.requires_grad_(False)
    before = model.b.weight.clone(), model.b.bias.clone()
    gain = budget._steered.steering._gains["second"].log
    steps(model, budget, 5)
    assert budget.trim(run(model)).gains.keys() <= {"first"}
    assert torch.equal(model.b.weight, before[0])
    assert torch.equal(model.b.bias, before[1])
    assert budget._steered.steering._gains["second"].log == gain
    model.b.requires_grad_(True)
    steps(model, budget, 1)
    assert model.b.weight.norm() < before[0].norm()


def test_bounds_of_neurons_without_a_task_leave_what_is_frozen_alone() -> None:
    model = Net()
    budget = Budget(
        Monitor(model).attach(), max_rate={"second": 0.01}, rate_of="neuron", tighten=1.0
    )
    steps(model, budget, 2)
    model.b.weight.requires_grad_(False)
    steps(model, budget, 2)
    assert model.b.weight.grad is None


def rms(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


UNDOING: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
    "LayerNorm": lambda: nn.LayerNorm(30, elementwise_affine=False),
    "GroupNorm": lambda: nn.GroupNorm(3, 30, affine=False),
    "RMSNorm": lambda: nn.RMSNorm(30, elementwise_affine=False),
    "batch statistics": lambda: nn.BatchNorm1d(30, affine=False, track_running_stats=False),
    "InstanceNorm": lambda: nn.Sequential(
        nn.Unflatten(1, (3, 10)), nn.InstanceNorm1d(3), nn.Flatten()
    ),
    "layer_norm": lambda: lambda x: F.layer_norm(x, (30,)),
    "normalize": lambda: F.normalize,
    "by hand": lambda: rms,
    "standard deviation": lambda: lambda x: x / (x.std(-1, keepdim=True) + 1e-5),
    "largest": lambda: lambda x: x / x.abs().amax(-1, keepdim=True).clamp(min=1e-5),
}


@pytest.mark.parametrize("kind", UNDOING)
def test_a_normalisation_without_parameters_undoes_a_factor(kind: str) -> None:
    model = Net(UNDOING[kind]())
    budget = begun(model)
    with pytest.warns(
        BudgetWarning, match=r"scales the currents into layer 'second'.*'b' \(Linear\)"
    ):
        steps(model, budget, 1)
    before = model.b.weight.clone()
    steps(model, budget, 3)
    assert budget.trim(run(model)).gains == {}
    assert torch.equal(model.b.weight, before)
    assert not budget.met


@pytest.mark.parametrize("affine", [nn.LayerNorm(30), nn.BatchNorm1d(30), nn.RMSNorm(30)])
def test_one_with_parameters_is_scaled_by_these(affine: nn.Module) -> None:
    model = Net(affine)
    budget = begun(model)
    steps(model, budget, 5)
    scaled = {id(p) for p in budget._steered.wiring.drives["second"].scaled}
    assert scaled == {id(p) for p in affine.parameters()}


def test_a_batch_normalisation_undoes_it_in_training_alone() -> None:
    model = Net(nn.BatchNorm1d(30, affine=False))
    budget = begun(model, bound=2.0)
    before = model.b.weight.clone()
    steps(model, budget, 4)
    assert torch.equal(model.b.weight, before)
    trimmed = budget.trim(run(model))
    assert trimmed.before[NAME] > 2.0 >= trimmed.after[NAME]
    picojoule.reset_states(model.eval())
    known = begun(model, bound=1.0)
    before = model.b.weight.clone()
    steps(model, known, 4)
    assert model.b.weight.norm() < before.norm()
