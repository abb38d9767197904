"""A budget on a network that has lost connections before: it goes on from those that are left."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.budget.connections import Connections
from picojoule.budget.density import density


def masked_network(kind: Any, share: float) -> tuple[nn.Sequential, Tensor]:
    """Spikes into a layer of 64 x 32 weights of which a share is left, and the mask."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(8, 64), picojoule.layers.IAFSqueeze(batch_size=2), nn.Linear(64, 32)
    )
    connections = Connections(model, {"2": share}, kind=kind, steps=2)
    for _ in range(2):
        connections.step()
    mask = model[2].get_buffer("weight_mask").clone()
    return model, mask


def forward(model: nn.Sequential) -> None:
    picojoule.reset_states(model)
    model(4 * torch.rand(20, 8, generator=torch.Generator().manual_seed(1)))


def fixed_budget(model: nn.Sequential) -> tuple[picojoule.Budget, float]:
    """To half of what is spent, and the share of the connections that this comes to."""
    monitor = picojoule.Monitor(model, weights="nonzero").attach()
    forward(model)
    spent = monitor.synops["2"].item()
    assert spent > 0
    limit = {"2": spent / 2}
    budget = picojoule.Budget(
        monitor, synops_per_timestep=limit, steps=10, synapses="fixed", margin=0.0
    )
    return budget, density(spent / 2, spent)


@pytest.mark.parametrize("before", ["fixed", "prune"])
def test_fixed_masks_are_drawn_among_what_is_left(before: str) -> None:
    model, mask = masked_network(before, 0.5)
    budget, share = fixed_budget(model)
    budget.begin()
    left = model[2].get_buffer("weight_mask")
    assert not (left.bool() & ~mask.bool()).any()
    assert left.mean().item() == pytest.approx(share * 0.5, abs=1 / left.numel())


def test_what_was_drawn_is_not_drawn_again_where_training_goes_on() -> None:
    model, _ = masked_network("fixed", 1.0)
    budget, share = fixed_budget(model)
    budget.begin()
    forward(model)
    budget.backward()
    budget.step()
    drawn = model[2].get_buffer("weight_mask").clone()
    assert drawn.mean().item() == pytest.approx(share, abs=1 / drawn.numel())
    again, _ = fixed_budget(model)
    again.load_state_dict(budget.state_dict())
    again.begin()
    assert torch.equal(model[2].get_buffer("weight_mask"), drawn)


@pytest.mark.parametrize("kind", ["prune", "thin"])
def test_what_goes_on_the_way_is_a_part_of_what_is_left(kind: str) -> None:
    model, mask = masked_network("prune", 0.5)
    connections = Connections(model, {"2": 0.25}, kind=kind, steps=10, every=1)  # type: ignore[arg-type]
    for _ in range(10):
        connections.step()
    left = model[2].get_buffer("weight_mask")
    assert not (left.bool() & ~mask.bool()).any()
    assert connections.densities["2"] == 0.25
