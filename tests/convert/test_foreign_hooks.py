"""Hooks that may change what a module gives out are warned of, as no conversion looks into them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from picojoule import Monitor, from_model, to_nir
from picojoule.convert import fold_batch_norm
from picojoule.layers import IAFSqueeze

pytest.importorskip("nir")

CONVERSIONS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "from_model": lambda model: from_model(model, batch_size=1),
    "fold_batch_norm": fold_batch_norm,
    "to_nir": lambda model: to_nir(model, torch.ones(2, 3)),
}


def model_for(conversion: str) -> nn.Sequential:
    behind = {"from_model": nn.ReLU(), "fold_batch_norm": nn.BatchNorm1d(4)}
    return nn.Sequential(nn.Linear(3, 4), behind.get(conversion) or IAFSqueeze(batch_size=1)).eval()


def rectified(_module: nn.Module, _given: object, output: Tensor) -> Tensor:
    return output.relu()


@pytest.mark.parametrize("conversion", CONVERSIONS)
def test_a_hook_that_may_change_an_output_is_warned_of(conversion: str) -> None:
    model = model_for(conversion)
    model[0].register_forward_hook(rectified)
    with pytest.warns(
        UserWarning, match=rf"{conversion}: the hook rectified on '0' \(Linear\)"
    ) as seen:
        CONVERSIONS[conversion](model)
    assert seen[0].filename == __file__


@pytest.mark.parametrize("conversion", CONVERSIONS)
def test_hooks_that_watch_or_compute_a_weight_are_not(conversion: str) -> None:
    model = model_for(conversion)
    prune.random_unstructured(model[0], "weight", 0.5)
    Monitor(model).attach()
    CONVERSIONS[conversion](model)
