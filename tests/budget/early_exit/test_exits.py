"""A sample that is sure leaves; what it answered and spent is what the whole pass had at that step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.budget import EarlyExit
from picojoule.budget.early_exit import entropy, margin
from picojoule.layers import IAF, SqueezeMixin, UnflattenTime, set_batch_size
from tests.budget.early_exit.networks import BATCH, CASES, CLASSES, TIME, dense, spikes


def steps_of(output: Tensor, batch: int) -> Tensor:
    return output.reshape(batch, -1, CLASSES)


@torch.no_grad()
def whole(model: nn.Module, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Answers and SynOps after each step, `b t c` and `b t`, from passes over all of the sequence.

    Where the model adds up inside, the answer after t steps is that to the first t.
    """
    model, (batch, time) = copy.deepcopy(model).eval(), frames.shape[:2]
    for module in model.modules():
        if isinstance(module, (SqueezeMixin, UnflattenTime)):
            module.batch_size = batch
    set_batch_size(model, batch)
    with picojoule.Monitor(model, detail=("sample", "step")) as monitor:
        output = model(frames)
    synops = sum(part.double() for part in monitor.synops.detail.values()).cumsum(1)
    if output.shape == (batch, CLASSES):
        picojoule.reset_states(model)
        parts = [model(frames[:, :1])]
        for t in range(2, time + 1):
            picojoule.reset_states(model)
            parts.append(model(frames[:, :t]))
        return torch.stack(parts, 1), synops
    return steps_of(output, batch).cumsum(1), synops


UNSURE = {"entropy": 1.0, "margin": 0.0}
FEW = ["dense", "lenet of time steps", "recurrent"]


def expected_exits(answers: Tensor, sure: str, threshold: float) -> Tensor:
    """The steps, from 0 on, after which the samples are sure."""
    measured = {"entropy": entropy, "margin": margin}[sure](answers.flatten(0, 1))
    measured = measured.reshape(answers.shape[:2])
    done = measured <= threshold if sure == "entropy" else measured >= threshold
    done[:, -1] = True
    return done.int().argmax(1)


def amid(measured: Tensor) -> float:
    """A threshold amid what was measured, as far from each as can be: sums of fewer samples are rounded otherwise."""
    ordered = measured.sort().values
    third = len(ordered) // 3
    at = third + int(ordered.diff()[third : 2 * third].argmax())
    return (ordered[at] + ordered[at + 1]).item() / 2


def assert_exits(early: EarlyExit, frames: Tensor, answers: Tensor, synops: Tensor, exits: Tensor) -> None:  # fmt: skip
    found, everyone = early(frames), range(len(frames))
    assert found.steps.tolist() == (exits + 1).tolist()
    assert found.synops.tolist() == synops[everyone, exits].tolist()
    torch.testing.assert_close(found.answers, answers[everyone, exits], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_each_sample_leaves_when_it_is_sure_with_what_it_answered_and_spent_by_then(
    name: str,
) -> None:
    model, frames = CASES[name].build()
    answers, synops = whole(model, frames)
    for sure, unsure in UNSURE.items():
        early = EarlyExit(model, sure)  # type: ignore[arg-type]
        last = torch.full((BATCH,), TIME - 1)
        assert_exits(early, frames, answers, synops, last)  # without a threshold

        measured = {"entropy": entropy, "margin": margin}[sure](answers[:, :-1].flatten(0, 1))
        early.threshold = amid(measured)
        exits = expected_exits(answers, sure, early.threshold)
        assert len(exits.unique()) > 2  # the samples leave at different steps
        assert_exits(early, frames, answers, synops, exits)

        early.last_step = 3
        assert_exits(early, frames, answers, synops, exits.clamp(max=2))

        early.threshold = unsure
        assert_exits(early, frames, answers, synops, 0 * exits)


@pytest.mark.parametrize("name", FEW)
def test_one_sample_and_one_step_are_enough_and_neighbours_do_not_matter(name: str) -> None:
    model, frames = CASES[name].build()
    early = EarlyExit(model, threshold=0.6)
    together = early(frames)
    alone = [early(frames[i : i + 1]) for i in range(BATCH)]
    assert together.steps.tolist() == [int(each.steps) for each in alone]
    assert together.synops.tolist() == [float(each.synops) for each in alone]
    for batch, one in ((BATCH, frames[:, :1]), (1, frames[:1, :1])):
        answers, synops = whole(model, one)
        assert_exits(early, one, answers, synops, torch.zeros(batch, dtype=torch.int64))


@pytest.mark.parametrize("name", FEW)
def test_all_is_as_before_but_for_the_states_which_are_reset(name: str) -> None:
    model, frames = CASES[name].build()
    model.train()
    next(model.children()).eval()
    before = [(m.training, vars(m).get("batch_size"), vars(m).get("num_timesteps")) for m in model.modules()]  # fmt: skip
    hooks, seed = [len(m._forward_hooks) for m in model.modules()], torch.get_rng_state()
    weights = copy.deepcopy([*model.parameters()])
    found = EarlyExit(model, threshold=0.6)(frames)
    after = [(m.training, vars(m).get("batch_size"), vars(m).get("num_timesteps")) for m in model.modules()]  # fmt: skip
    assert before == after
    assert hooks == [len(m._forward_hooks) for m in model.modules()]
    assert torch.equal(seed, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
    assert not found.answers.requires_grad
    layers = [layer for _, layer in picojoule.layers.stateful_layers(model)]
    assert [layer.shape for layer in layers] == [None] * len(layers)


def test_what_went_wrong_leaves_mode_and_sizes_as_they_were() -> None:
    model, frames = CASES["lenet of time steps"].build()
    with pytest.raises(RuntimeError):
        EarlyExit(model, threshold=0.6)(frames[..., :3])
    assert (model.training, model[2].batch_size, model[2].num_timesteps) == (True, -1, TIME)


def test_the_readout_sees_the_states_of_the_samples_that_are_left() -> None:
    torch.manual_seed(0)
    model, frames = nn.Sequential(dense(), IAF()), spikes(10)
    last = model[1]
    assert isinstance(last, IAF)
    with torch.no_grad():
        output = model(frames)
        potentials = []
        for t in range(1, TIME + 1):
            picojoule.reset_states(model)
            model(frames[:, :t])
            potentials.append(last.v_mem.clone())
    answers = output.cumsum(1) + torch.stack(potentials, 1)
    early = EarlyExit(model, "margin", 0.5, readout=lambda total: total + last.v_mem)
    found = early(frames)
    assert 1 < len(found.steps.unique()) < BATCH
    torch.testing.assert_close(
        found.answers, answers[range(BATCH), found.steps - 1], rtol=1e-5, atol=1e-5
    )


def test_pruned_synapses_count_as_the_monitor_is_told() -> None:
    torch.manual_seed(0)
    model, frames = dense(), spikes(10)
    with torch.no_grad():
        model[0].weight[:, ::2] = 0
    _, dense_synops = whole(model, frames)
    found = EarlyExit(model, weights="nonzero")(frames)
    with torch.no_grad(), picojoule.Monitor(model, weights="nonzero", detail=("sample",)) as m:
        model(frames)
    want = TIME * sum(part.double() for part in m.synops.detail.values())
    torch.testing.assert_close(found.synops, want)
    assert bool((found.synops < dense_synops[:, -1]).all())


def test_a_monitor_of_ones_own_may_watch_too() -> None:
    model, frames = CASES["dense"].build()
    with picojoule.Monitor(model, accumulate=True, time_axis="bt") as monitor:
        found = EarlyExit(model, threshold=0.6)(frames)
    assert monitor.ledger.lines["0"].synops + monitor.ledger.lines["2"].synops == found.synops.sum()
    assert monitor.synops.sample_steps == found.steps.sum()
