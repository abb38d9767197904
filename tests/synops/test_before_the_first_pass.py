"""What a Monitor knows of a model that has not run, and dense counts of one that has."""

import torch
from torch import nn

import picojoule
from picojoule.layers import IAF, LIF, ExpLeak, SumPool2d


def test_spiking_layers_are_known_before_the_model_runs() -> None:
    model = nn.Sequential(
        nn.Linear(4, 3),
        IAF(),
        nn.Sequential(SumPool2d(2), LIF(tau_mem=5.0)),
        nn.ReLU(),
        ExpLeak(tau_mem=5.0),
    )
    assert picojoule.Monitor(model).spiking_layers == ("1", "2.1")
    named = picojoule.Monitor(model, spiking=["3"], time_axis="bt")
    assert named.spiking_layers == ("1", "2.1", "3")
    typed = picojoule.Monitor(model, spiking=[nn.ReLU], time_axis="bt")
    assert typed.spiking_layers == ("1", "2.1", "3")
    assert picojoule.Monitor(nn.Linear(4, 3)).spiking_layers == ()


def test_they_are_those_that_have_rates_afterwards() -> None:
    model = nn.Sequential(nn.Linear(4, 3), IAF(), nn.Linear(3, 3), LIF(tau_mem=5.0))
    with picojoule.Monitor(model) as monitor:
        model(torch.rand(2, 5, 4))
    assert tuple(monitor.rates) == monitor.spiking_layers


def test_which_weights_are_synapses() -> None:
    model = nn.Linear(4, 3)
    assert picojoule.Monitor(model).weights == "all"
    assert picojoule.Monitor(model, weights="nonzero").weights == "nonzero"


def test_dense_is_what_ones_would_spend() -> None:
    model = nn.Sequential(nn.Linear(4, 3), IAF(), nn.Linear(3, 7))
    with torch.no_grad():
        model[2].weight[0, 0] = 0.0
    found = []
    for weights in ("all", "nonzero"):
        with picojoule.Monitor(model, weights=weights) as monitor:
            model(torch.rand(2, 5, 4))
        found.append([monitor.dense[name].item() for name in ("0", "2")])
    assert found == [[12.0, 21.0], [12.0, 20.0]]
