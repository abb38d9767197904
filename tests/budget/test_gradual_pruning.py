"""Pruning in the course of training: down to the limit, without forgetting, and resumed where it was."""

import pytest
import torch

import picojoule
from picojoule.budget import GradualPruning, SynopsLimit
from tests.budget.networks import batch, network, train
from tests.budget.pruned import spent_after, watch


def test_gradual_pruning_comes_down_to_the_limit_and_learns() -> None:
    model = network()
    train(model, None, steps=100)
    bound = (
        0.25 * spent_after(model, batch(torch.Generator().manual_seed(5))[0]).synops.total.item()
    )
    limit = SynopsLimit(bound=bound)
    with watch(model) as monitor:
        pruning = GradualPruning(monitor, limit, steps=100, every=5)
        spent = []

        def after() -> None:
            pruning.step()
            spent.append(monitor.synops.total.item())

        train(model, None, steps=150, after=after)
    half = (spent[0] * bound) ** 0.5
    assert spent[50] == pytest.approx(half, rel=0.25)
    x, labels = batch(torch.Generator().manual_seed(77))
    seen = spent_after(model, x)
    assert 0.8 * bound < seen.synops.total.item() <= 1.03 * bound
    picojoule.reset_states(model)
    with torch.no_grad():
        assert (model(x).mean(1).argmax(1) == labels).float().mean() > 0.95
    assert sum(kind == "weight" for kind in dir(model[2])) == 1
    assert len(model[2]._forward_pre_hooks) == 1  # one mask, however often it was changed


def test_gradual_pruning_resumes() -> None:
    x, _ = batch(torch.Generator().manual_seed(1))
    weights = []
    for interrupted in (False, True):
        model = network()
        limit = SynopsLimit(bound=0.3 * spent_after(model, x).synops.total.item())
        with watch(model) as monitor:
            pruning = GradualPruning(monitor, limit, steps=20, every=4)
            for step in range(24):
                if interrupted and step == 10:
                    saved = pruning.state_dict()
                    pruning = GradualPruning(monitor, limit, steps=20, every=4)
                    pruning.load_state_dict(saved)
                picojoule.reset_states(model)
                model(x)
                pruning.step()
        weights.append(model[2].weight.detach())
    assert torch.equal(*weights)
