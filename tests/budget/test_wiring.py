"""Which weights drive which spikes, read off a pass."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.parametrizations import weight_norm

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


class Offset(nn.Module):
    """Adds an offset, by itself or to what a layer gives."""

    def __init__(self, layer: nn.Module, shape: tuple[int, ...] = (5,)) -> None:
        super().__init__()
        self.layer, self.offset = layer, nn.Parameter(torch.ones(5))
        self._shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) - self.offset.view(self._shape)


class Unrelated(nn.Module):
    """Has a parameter that takes no part in what it gives."""

    def __init__(self, layer: nn.Module, after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.temperature, self.after = layer, nn.Parameter(torch.ones(())), after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.layer(x))


class Scaled(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.scale = layer, nn.Parameter(torch.ones(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.scale


def fc(bias: bool = True) -> nn.Linear:
    return nn.Linear(4, 5, bias=bias)


OF_THE_LAYER = {"0.layer.weight", "0.layer.bias"}


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("make", "scaled"),
    [
        (lambda: weight_norm(fc()), {"0.parametrizations.weight.original0", "0.bias"}),
        (lambda: weight_norm(fc(False)), {"0.parametrizations.weight.original0"}),
        (lambda: nn.utils.weight_norm(fc()), {"0.weight_g", "0.weight_v", "0.bias"}),
        (lambda: prune.identity(fc(), "weight"), {"0.weight_orig", "0.bias"}),
        (lambda: Offset(fc()), {"0.offset", *OF_THE_LAYER}),
        (lambda: Offset(fc(), (1, 1, 5)), {"0.offset", *OF_THE_LAYER}),
        (lambda: Offset(weight_norm(fc(False))), {"0.offset", "0.layer.parametrizations.weight.original0"}),
        (lambda: nn.Sequential(fc(False), Offset(nn.Identity())), {"0.0.weight", "0.1.offset"}),
        (lambda: Unrelated(fc(), lambda y: y), OF_THE_LAYER),
        (lambda: Unrelated(fc(), torch.relu), OF_THE_LAYER),
        (lambda: Unrelated(Offset(fc()), torch.relu), {"0.layer.offset", "0.layer.layer.weight", "0.layer.layer.bias"}),
        (lambda: Scaled(fc()), {"0.scale"}),
    ],
)  # fmt: skip
def test_what_scales_a_current_is_all_there_is_of_it(
    make: Callable[[], nn.Module], scaled: set[str]
) -> None:
    """A weight without its bias, or a bias without its weight, times a factor is another function."""
    model = nn.Sequential(make(), IAF(), nn.Linear(5, 2))
    x = torch.rand(2, 3, 4)
    found, names = wiring(model, x)
    assert last(found, names, "1") == scaled
    assert found.unscaled == {}
    before = model[0](x)
    with torch.no_grad():
        for parameter in found.drives["1"].last:
            parameter.mul_(0.5)
    torch.testing.assert_close(model[0](x), 0.5 * before)


def frozen(layer: nn.Module) -> nn.Module:
    layer.weight.requires_grad_(False)  # type: ignore[operator, union-attr]
    return layer


@pytest.mark.filterwarnings("ignore:.*spectral_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: parametrizations.orthogonal(fc()), "0"),
        (lambda: parametrizations.orthogonal(fc(False)), "0"),
        (lambda: parametrizations.spectral_norm(weight_norm(fc())), "0"),
        (lambda: nn.utils.spectral_norm(fc()), "0"),
        (lambda: frozen(fc()), "0"),
        (lambda: nn.Sequential(fc(), frozen(nn.LayerNorm(5))), "0.1"),
        (lambda: Offset(parametrizations.orthogonal(fc(False))), "0.layer"),
    ],
)
def test_currents_that_no_trained_parameters_scale_are_left_alone_and_told(
    make: Callable[[], nn.Module], named: str
) -> None:
    model = nn.Sequential(make(), IAF(), nn.Linear(5, 5), IAF(), nn.Linear(5, 2))
    found, names = wiring(model, torch.rand(2, 3, 4))
    assert found.drives["1"].last == ()
    assert found.drives["1"].all
    assert found.unscaled == {"1": (named,)}
    assert last(found, names, "3") == {"2.weight", "2.bias"}


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
