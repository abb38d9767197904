"""Inputs and biases divided by one number divide the output by it, or the model is refused by name."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.convert import fold_batch_norm, from_model

BY = 10.0
X = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
Forward = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """A layer, parameters that are nobody's bias, and a forward pass to choose."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.pad = nn.Linear(3, 3), nn.ConstantPad1d(1, 0.5)
        self.own, self.zero = nn.Parameter(torch.rand(3)), nn.Parameter(torch.zeros(3))
        self.numbers, self.tokens = nn.Embedding(3, 3), nn.Parameter(torch.rand(1, 3))
        self.same = self.linear.bias
        self.run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def assert_divided(model: nn.Module) -> None:
    """Without ReLUs nothing spikes, so the outputs are the ANN's, divided."""
    network = from_model(model, batch_size=1, bias_rescaling=BY)
    torch.testing.assert_close(BY * network(X / BY), model(X))


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: F.linear(x, net.linear.weight, net.linear.bias),
        lambda net, x: x @ net.linear.weight + net.same.view(1, -1) / 2,
        lambda net, x: torch.cat([net.linear(x), torch.zeros_like(x), x.new_zeros(5, 1)], 1),
        lambda net, x: F.pad(net.linear(x) + 0 + net.zero, (0, 1)) * x.size(1),
        lambda net, x: torch.addcmul(net.own, net.own, net.own) * net.linear(x),
        lambda net, x: torch.sub(net.linear(x), x, alpha=2),
    ],
)
def test_what_grows_with_the_input_and_the_biases_is_divided(forward: Forward) -> None:
    assert_divided(Net(forward))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda net, x: F.relu(net.linear(x) + net.own), r"add\(\) \(node 'add'\) adds 'own'"),
        (lambda net, x: net.linear(x) + 0.5, r"add\(\) \(node 'add'\) adds 0\.5"),
        (lambda net, x: 1 - net.linear(x), r"sub\(\) \(node 'sub'\) adds 1"),
        (lambda net, x: net.linear(x).add_(net.own), r"add\(\) \(node 'add_'\) adds 'own'"),
        (lambda net, x: x.add(other=2.0), r"add\(\) .* adds 2\.0"),
        (lambda net, x: x + x.size(1), r"adds what size\(\) gives"),
        (lambda net, x: x + net.own * 2, r"adds what mul\(\) gives"),
        (lambda net, x: x + torch.ones(3), r"adds a constant of shape \(3,\)"),
        (lambda net, x: x + net.linear(net.tokens), "the bias of 'linear' .* not follow from the input"),
        (lambda net, x: torch.cat([x, torch.ones_like(x)]), r"cat\(\) .* adds what ones_like\(\) gives"),
        (lambda net, x: F.linear(x, net.linear.weight, net.own), r"linear\(\) .* adds 'own'"),
        (lambda net, x: F.linear(x, net.linear.weight, bias=net.own), r"linear\(\) .* adds 'own'"),
        (lambda net, x: F.conv1d(x[:, None], net.own.view(1, 1, 3), net.own[:1]), r"conv1d\(\) .* adds what getitem\(\)"),
        (lambda net, x: x * F.linear(net.tokens, net.linear.weight, net.linear.bias), r"linear\(\) .* adds a bias"),
        (lambda net, x: x * net.linear.bias, r"mul\(\) .* does more to a bias"),
        (lambda net, x: x / net.linear.bias, r"truediv\(\) .* does more to a bias"),
        (lambda net, x: x + net.linear.bias.exp(), r"exp\(\) .* does more to a bias"),
        (lambda net, x: F.pad(x, (1, 1), "constant", 0.5), r"pad\(\) .* adds 0\.5"),
        (lambda net, x: x.masked_fill(net.own > 0, 0.5), r"masked_fill\(\) .* adds 0\.5"),
        (lambda net, x: torch.diff(x, prepend=net.own[None]), r"diff\(\) .* adds what getitem\(\)"),
        (lambda net, x: F.batch_norm(x, net.own, net.own), r"batch_norm\(\) .* adds a constant"),
        (lambda net, x: net.pad(x), r"layer 'pad' \(ConstantPad1d\) adds a constant"),
        (lambda net, x: net.numbers(x), r"layer 'numbers' \(Embedding\) gives constants"),
    ],
)  # fmt: skip
def test_a_constant_that_would_not_be_divided_is_named(forward: Forward, message: str) -> None:
    with pytest.raises(ValueError, match=f"from_model: .*{message}.*bias_rescaling"):
        from_model(Net(forward), batch_size=1, bias_rescaling=BY)
    from_model(Net(forward), batch_size=1)


def test_a_normalisation_is_folded_first() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model(3 * torch.rand(20, 3) + 1)
    model.eval()
    with pytest.raises(ValueError, match=r"'1' \(BatchNorm1d\) .*fold_batch_norm first"):
        from_model(model, batch_size=1, bias_rescaling=BY)
    assert_divided(fold_batch_norm(model))


class Branching(nn.Module):
    """torch.fx cannot follow it."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) if x.sum() > 0 else x


@pytest.mark.filterwarnings("ignore:.* ReLU layers:UserWarning")
@pytest.mark.parametrize("layer", [nn.BatchNorm1d(3), nn.ConstantPad1d(1, 0.5)])
def test_what_fx_cannot_follow_is_judged_by_its_layers(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=rf"layer 'layers\.1' \({type(layer).__name__}\)"):
        from_model(Branching(nn.Linear(3, 3), layer), batch_size=1, bias_rescaling=BY)
    with pytest.warns(UserWarning, match="whether it adds constants .* could not be seen"):
        from_model(Branching(nn.Linear(3, 3)), batch_size=1, bias_rescaling=BY)


class OfLayer(nn.Module):
    """A weight that a layer with a bias computes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, weight: Tensor) -> Tensor:
        return self.layer(weight)


def test_a_bias_that_computes_a_weight_is_left_alone() -> None:
    model: Any = nn.Sequential(nn.Linear(3, 2))
    nn.utils.parametrize.register_parametrization(model[0], "weight", OfLayer())
    assert_divided(model)


class Own(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([super().forward(x), F.relu(x)], 1)


@pytest.mark.parametrize(
    "model",
    [
        Net(lambda net, x: torch.cat([x @ net.linear.weight.T + net.linear.bias, F.relu(x)], 1)),
        nn.Sequential(Own(3, 3), nn.Identity()),
    ],
)
@pytest.mark.parametrize("spiking_output", [False, True])
def test_a_bias_is_divided_where_the_forward_pass_is_written_anew(
    model: nn.Module, spiking_output: bool
) -> None:
    options = {"add_spiking_output": spiking_output, "min_v_mem": None, "bias_rescaling": BY}
    network = from_model(model, num_timesteps=1000, **options)  # type: ignore[arg-type]
    output = network((X / BY).repeat_interleave(1000, 0)).unflatten(0, (5, 1000)).mean(1)
    expected = model(X).relu() if spiking_output else model(X)
    torch.testing.assert_close(BY * output, expected, atol=0.011, rtol=0)
