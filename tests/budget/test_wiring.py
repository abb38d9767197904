"""Which weights drive which spikes, read off a pass."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import picojoule
from picojoule.budget.wiring import Wiring, WiringWatch
from picojoule.layers import IAF, LIF, LIFRecurrent, SumPool2d
from picojoule.training.networks.lenet import lenet


def wiring(
    model: nn.Module, x: Tensor, run: Callable[[nn.Module, Tensor], object] = lambda m, x: m(x)
) -> tuple[Wiring, dict[int, str]]:
    """The wiring, and the name of each parameter by its identity."""
    with picojoule.Monitor(model) as monitor:
        watch = WiringWatch(monitor)
        run(model, x)
        return watch.wiring(), {id(p): name for name, p in model.named_parameters()}


def last(found: Wiring, names: dict[int, str], layer: str) -> set[str]:
    return {names[id(p)] for p in found.drives[layer].last}


def test_a_chain_of_folded_layers_and_pools() -> None:
    found, names = wiring(lenet(batch_size=2), torch.rand(2, 3, 1, 28, 28))
    assert found.reached == {"2": ("4",), "5": ("7",), "8": ("10",), "11": ()}
    assert [last(found, names, n) for n in found.drives] == [
        {"1.weight"},
        {"4.weight"},
        {"7.weight"},
        {"10.weight"},
    ]
    assert found.sources(("4", "10")) == ("2", "8")
    assert found.sources(()) == ("2", "5", "8", "11")


def test_a_normalisation_is_the_last_that_scales_but_all_on_the_way_are_known() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), IAF(), SumPool2d(2), nn.Conv2d(3, 2, 2)
    )

    class OverTime(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model

        def forward(self, x: Tensor) -> Tensor:
            y = self.layers[1](self.layers[0](x.flatten(0, 1))).unflatten(0, x.shape[:2])
            spikes = self.layers[2](y)
            return self.layers[4](self.layers[3](spikes.flatten(0, 1)))

    found, names = wiring(OverTime(), torch.rand(2, 3, 1, 8, 8))
    assert last(found, names, "layers.2") == {"layers.1.weight", "layers.1.bias"}
    everything = {names[id(p)] for p in found.drives["layers.2"].all}
    assert everything == {"layers.0.weight", "layers.1.weight", "layers.1.bias"}
    assert found.reached == {"layers.2": ("layers.4",)}


class Residual(nn.Module):
    """Two blocks whose currents are added up, and a readout of the sum of both spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 2)
        self.skip = nn.Linear(4, 5)
        self.first, self.second = IAF(), LIF(tau_mem=10.0)

    def forward(self, x: Tensor) -> Tensor:
        one = self.first(self.a(x))
        two = self.second(self.b(one) + self.skip(x))
        return self.c(one + two)


def test_currents_that_are_added_up_and_spikes_that_are() -> None:
    found, names = wiring(Residual(), torch.rand(2, 3, 4))
    assert last(found, names, "second") == {"b.weight", "b.bias", "skip.weight", "skip.bias"}
    assert found.reached == {"first": ("b", "c"), "second": ("c",)}


def test_a_recurrent_layer_is_driven_by_what_comes_from_outside_and_knows_its_own() -> None:
    model = nn.Sequential(
        nn.Linear(4, 5), LIFRecurrent(tau_mem=10.0, rec_connect=nn.Linear(5, 5)), nn.Linear(5, 2)
    )
    found, names = wiring(model, torch.rand(2, 3, 4))
    (layer,) = found.drives
    assert last(found, names, layer) == {"0.weight", "0.bias"}
    everything = {names[id(p)] for p in found.drives[layer].all}
    assert {"1.rec_connect.weight", "1.rec_connect.bias"} <= everything
    assert set(found.reached[layer]) == {"1.rec_connect", "2"}


def test_frozen_weights_drive_nothing_that_could_be_scaled() -> None:
    model = nn.Sequential(nn.Linear(4, 5), IAF(), nn.Linear(5, 5), IAF(), nn.Linear(5, 2))
    model[2].requires_grad_(False)
    found, names = wiring(model, torch.rand(2, 3, 4))
    assert last(found, names, "1") == {"0.weight", "0.bias"}
    assert found.drives["3"].last == ()


def test_step_by_step_it_is_the_same() -> None:
    model = nn.Sequential(nn.Linear(4, 5), IAF(), nn.Linear(5, 3), IAF())

    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.net(x[:, t : t + 1]) for t in range(x.shape[1])], 1)

    found, names = wiring(Steps(), torch.rand(2, 3, 4))
    assert found.reached == {"net.1": ("net.2",), "net.3": ()}
    assert last(found, names, "net.3") == {"net.2.weight", "net.2.bias"}


def test_hooks_are_gone_afterwards_and_a_copy_made_meanwhile_is_left_alone() -> None:
    import copy

    model = nn.Sequential(nn.Linear(4, 5), IAF(), nn.Linear(5, 2))
    with picojoule.Monitor(model) as monitor:
        hooks = [len(m._forward_hooks) for m in model]
        watch = WiringWatch(monitor)
        twin = copy.deepcopy(model)
        model(torch.rand(1, 2, 4))
        found = watch.wiring()
        assert [len(m._forward_hooks) for m in model] == hooks
        twin(torch.rand(1, 2, 4))
        assert not watch.saw
    assert found.reached == {"1": ("2",)}
