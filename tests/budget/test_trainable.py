"""Thresholds and leaks as levers: trained, in range, kept by copies, and enough to meet a budget."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import picojoule
from picojoule.budget import Budget, make_trainable
from picojoule.layers import ALIF, IAF, LIF, ExpLeak, LIFRecurrent, LIFSqueeze
from tests.budget.networks import held_out, network, train


def lif_network(**options) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), LIF(tau_mem=8.0, **options), nn.Linear(5, 2))


def test_the_budget_is_met_by_thresholds_alone() -> None:
    model = network()
    train(model, None, steps=100)
    plain, _ = held_out(model)
    before = copy.deepcopy(model.state_dict())
    model.requires_grad_(False)
    levers = make_trainable(model)
    limits = {name: 0.5 * plain.synops[name].item() for name in ("2", "4")}
    monitor = picojoule.Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep=limits)
    train(model, budget, steps=200, lr=2e-2)
    seen, accuracy = held_out(model)
    assert budget.met
    assert all(seen.synops[name].item() <= 1.02 * limit for name, limit in limits.items())
    assert accuracy > 0.9
    assert list(levers) == ["1.spike_threshold", "3.spike_threshold"]
    for name, value in model.state_dict().items():
        same = torch.equal(value, before[name])
        assert same != (name in levers) or name.endswith("v_mem")


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (lambda: LIF(tau_mem=8.0), ["tau_mem", "spike_threshold"]),
        (lambda: LIF(8.0, tau_syn=3.0, train_alphas=True), ["alpha_mem", "alpha_syn", "spike_threshold"]),
        (lambda: LIFSqueeze(batch_size=2, tau_mem=8.0), ["tau_mem", "spike_threshold"]),
        (lambda: ALIF(tau_mem=8.0, tau_adapt=20.0), ["tau_mem", "tau_adapt", "b0"]),
        (lambda: ExpLeak(tau_mem=8.0), ["tau_mem"]),
        (lambda: LIFRecurrent(8.0, nn.Linear(5, 5)), ["tau_mem", "spike_threshold"]),
        (IAF, ["spike_threshold"]),
    ],
)  # fmt: skip
def test_which_parameters_and_that_they_get_gradients(layer, names: list[str]) -> None:
    torch.manual_seed(0)
    neurons = layer()
    levers = make_trainable(neurons)
    assert sorted(levers) == sorted(names)
    shape = (2 * 7, 5) if isinstance(neurons, LIFSqueeze) else (2, 7, 5)
    output = neurons(20 * torch.rand(shape))
    gradients = torch.autograd.grad(output.square().sum(), list(levers.values()))
    assert all(bool(gradient.any()) for gradient in gradients)


@pytest.mark.parametrize("per", ["layer", "channel", "neuron"])
def test_fused_kernels_give_the_gradients_of_the_definition(per) -> None:
    torch.manual_seed(0)
    x = torch.rand(3, 20, 4, 5) * 2
    found = []
    for impl in ("auto", "reference"):
        layer = LIF(tau_mem=8.0)
        layer.impl = impl
        layer(x)
        layer.reset_states()
        levers = make_trainable(layer, per=per)
        shape = {"layer": (), "channel": (4, 1), "neuron": (4, 5)}[per]
        assert all(parameter.shape == shape for parameter in levers.values())
        loss = layer(x).mean((0, 1)).square().sum()
        found.append(torch.autograd.grad(loss, list(levers.values())))
    for fused, defined in zip(*found, strict=True):
        assert fused.shape == defined.shape
        torch.testing.assert_close(fused, defined, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("alphas", [False, True])
def test_no_step_takes_them_out_of_their_range(alphas: bool) -> None:
    model = lif_network(train_alphas=alphas)
    levers = make_trainable(model)
    with torch.no_grad():
        for parameter in levers.values():
            parameter.fill_(-3.0)
    saved = model.state_dict()  # right after a step, before the next forward pass
    assert all(bool((saved[name] > 0).all()) for name in levers)
    with torch.no_grad():
        for parameter in levers.values():
            parameter.fill_(-3.0)
    assert model(torch.rand(2, 5, 6)).isfinite().all()
    assert all(bool((parameter > 0).all()) for parameter in levers.values())
    lif_network(train_alphas=alphas).load_state_dict(saved)  # a plain model takes it


def test_an_alpha_stays_at_most_one() -> None:
    model = lif_network(train_alphas=True)
    levers = make_trainable(model, thresholds=False)
    with torch.no_grad():
        levers["1.alpha_mem"].fill_(1.7)
    model(torch.rand(2, 5, 6))
    assert levers["1.alpha_mem"].item() == 1.0


def test_gradients_of_several_forward_passes_add_up() -> None:
    model = lif_network()
    levers = make_trainable(model)
    x = 2 * torch.rand(2, 2, 9, 6)
    losses = []
    for part in x:
        picojoule.reset_states(model)
        losses.append(model(part).square().mean())
    both = torch.autograd.grad(sum(losses), list(levers.values()))
    assert all(bool(gradient.isfinite().all()) for gradient in both)


def test_copies_pickles_and_checkpoints_keep_them() -> None:
    model = lif_network()
    x = 2 * torch.rand(2, 9, 6)
    model(x)
    levers = make_trainable(model, per="neuron")
    with torch.no_grad():
        levers["1.spike_threshold"].uniform_(0.5, 2.0)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        picojoule.reset_states(model)
        picojoule.reset_states(twin)
        assert torch.equal(twin(x), model(x))
        assert twin[1].spike_threshold.requires_grad
        assert twin[1].spike_threshold is not model[1].spike_threshold
        with torch.no_grad():
            twin[1].spike_threshold.fill_(-1.0)
        twin(x)
        assert twin[1].spike_threshold.min() > 0
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = lif_network()
    other(x)
    make_trainable(other, per="neuron")
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other[1].spike_threshold, model[1].spike_threshold)


def test_only_what_was_asked_for() -> None:
    model = network()
    assert list(make_trainable(model, layers=["3"])) == ["3.spike_threshold"]
    assert not model[1].spike_threshold.requires_grad
    first, again = make_trainable(model), make_trainable(model)
    assert all(first[name] is again[name] for name in first)
    assert len(model[1]._forward_pre_hooks) == 1
    assert list(make_trainable(lif_network(), thresholds=False)) == ["1.tau_mem"]


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (network, {"layers": ["33"]}, "no neuron layer '33'. Did you mean '3'?"),
        (network, {"thresholds": False}, "nothing to train in Sequential with thresholds=False"),
        (lambda: nn.Linear(2, 2), {}, "nothing to train in Linear"),
        (network, {"per": "synapse"}, "per is 'synapse'; choose one of"),
        (network, {"per": "neuron"}, "the number of neurons of layer '1', which is not known"),
    ],
)
def test_what_cannot_be_meant(model, options, message: str) -> None:
    with pytest.raises(ValueError, match="make_trainable") as error:
        make_trainable(model(), **options)
    assert message in str(error.value)


def test_one_value_a_channel_of_what_has_one_a_neuron() -> None:
    layer = LIF(tau_mem=torch.full((4, 5), 8.0))
    layer(torch.ones(1, 3, 4, 5))
    with pytest.raises(
        ValueError, match=r"tau_mem of LIF has shape \(4, 5\), which does not broad"
    ):
        make_trainable(layer, per="channel")
