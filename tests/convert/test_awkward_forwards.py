"""Forward passes that are written in unusual ways are converted to the same function, or refused."""

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from picojoule.convert import fold_batch_norm, from_model, to_nir
from picojoule.layers import IAF, stateful_layers

Forward = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """Two linear layers and a forward pass to be given."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.relu, self.inplace = nn.ReLU(), nn.ReLU(inplace=True)
        self.written = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


def largest_difference(forward: Forward) -> float:
    """Between the rate of the SNN and the activation of the ANN."""
    ann, steps = Net(forward).eval().requires_grad_(False), 400
    x = torch.rand(3, 4)
    snn = from_model(ann, num_timesteps=steps, min_v_mem=None)
    rates = snn(x.repeat_interleave(steps, 0)).reshape(3, steps, -1).mean(1)
    return float((rates - ann(x)).abs().max())


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: net.last(torch.clip(net.first(x), 0)),
        lambda net, x: net.last(net.first(x).clip(min=0)),
        lambda net, x: net.last(torch.ops.aten.relu.default(net.first(x))),
        lambda net, x: net.last(F.relu(net.first(x).real)),
    ],
)
def test_other_names_of_relu_become_neurons(forward: Forward) -> None:
    assert any(
        type(m).__name__ == "IAFSqueeze" for m in from_model(Net(forward), batch_size=1).modules()
    )
    assert largest_difference(forward) < 0.01


@pytest.mark.parametrize(
    "function",
    [
        *(F.threshold, F.logsigmoid, torch.special.expit, torch.celu_, torch.selu_, torch.rrelu),
        torch.special.log_softmax,
        *(lambda x: torch.maximum(x, x - 1), lambda x: torch.where(x > 0, x, 0.0)),
    ],
)
def test_other_names_of_what_has_no_spiking_counterpart_are_refused(
    function: Callable[..., Tensor],
) -> None:
    further = (0, 0) if function is F.threshold else (1,) if "log_softmax" in str(function) else ()
    with pytest.raises(NotImplementedError, match="spiking counterpart"):
        from_model(Net(lambda net, x: net.last(function(net.first(x), *further))), batch_size=1)


def in_place_function(net: Net, x: Tensor) -> Tensor:
    x = net.first(x)
    F.relu(x, inplace=True)
    return net.last(x)


def in_place_method(net: Net, x: Tensor) -> Tensor:
    x = net.first(x)
    before = x + 1
    return net.last(x.relu_() + x + before)


def in_place_layer(net: Net, x: Tensor) -> Tensor:
    x = net.first(x)
    return net.last(net.inplace(x) + x)


def in_place_clamp(net: Net, x: Tensor) -> Tensor:
    x = net.first(x)
    x.clamp_(min=0)
    return net.last(x)


@pytest.mark.parametrize(
    "forward", [in_place_function, in_place_method, in_place_layer, in_place_clamp]
)
def test_who_uses_a_value_rectified_in_place_gets_spikes(forward: Forward) -> None:
    assert largest_difference(forward) < 0.01


def test_a_relu_may_be_called_by_keyword() -> None:
    assert largest_difference(lambda net, x: net.last(net.relu(input=net.first(x)))) < 0.01


def test_a_tensor_made_in_the_forward_pass_stays() -> None:
    assert largest_difference(lambda net, x: F.relu(net.first(x) - torch.tensor(0.1))) < 0.01
    both = from_model(
        Net(lambda net, x: net.first(net.relu(x) - torch.tensor(0.1)) * torch.tensor(2.0)),
        batch_size=1,
        add_spiking_output=True,
    )
    assert both.double()(torch.rand(5, 4).double()).shape == (5, 6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("add_spiking_output", [True, False])
def test_dropout_as_a_function_follows_the_mode(training: bool, add_spiking_output: bool) -> None:
    def forward(net: Net, x: Tensor) -> Tensor:
        rectified = net.relu if add_spiking_output else F.relu
        return F.dropout(rectified(net.first(x)) + 1, 0.5, training=net.training)

    snn = from_model(
        Net(forward).train(training), batch_size=1, add_spiking_output=add_spiking_output
    )
    x = torch.rand(20, 4)

    def twice(network: nn.Module) -> tuple[Tensor, Tensor]:
        outputs = []
        for _ in range(2):
            network.reset_states()
            outputs.append(network(x))
        return outputs[0], outputs[1]

    torch.manual_seed(1)
    assert torch.equal(*twice(snn.eval()))
    assert not torch.equal(*twice(snn.train()))


def test_a_forward_pass_that_depends_on_the_mode_is_refused() -> None:
    def forward(net: Net, x: Tensor) -> Tensor:
        x = F.relu(net.first(x))
        return net.last(x) if net.training else x

    with pytest.raises(NotImplementedError, match="training mode what it does not in evaluation"):
        from_model(Net(forward), batch_size=1)


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: net.last(F.relu(F.linear(x, F.relu(net.first.weight)))),
        lambda net, x: net.last(F.relu(F.linear(x, net.first.weight.clamp(min=0)))),
        lambda net, x: net.last(F.relu(net.first(x))) + torch.relu(net.last.bias),
        lambda net, x: net.last(net.relu(F.linear(x, net.relu(net.first.weight)))),
    ],
)
def test_a_relu_of_weights_stays(forward: Forward) -> None:
    assert largest_difference(forward) < 0.01


@pytest.mark.parametrize("inside", [nn.ReLU(), nn.Sequential(nn.ReLU()), nn.Softplus()])
def test_a_relu_that_computes_weights_stays(inside: nn.Module) -> None:
    ann = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    parametrize.register_parametrization(ann[2], "weight", inside)
    snn: Any = from_model(ann, batch_size=1).spiking_model
    assert torch.equal(snn[2].weight, ann[2].weight)
    assert type(snn[1]).__name__ == "IAFSqueeze"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.div(x, 0.3, rounding_mode="floor"),
        lambda x: x.div(0.3, rounding_mode="trunc"),
        lambda x: x.to(torch.int32).float(),
        lambda x: x.to(dtype=torch.bool).float(),
        lambda x: x.type(torch.int16).float(),
        lambda x: x.type("torch.IntTensor").float(),
        lambda x: x.view(torch.int32).float(),
        lambda x: torch.cumsum(x, 1, dtype=torch.int32).float(),
        lambda x: x.type_as(torch.zeros(1, dtype=torch.int64)).float(),
        lambda x: x.to(torch.zeros(1, dtype=torch.bool)).float(),
    ],
)
def test_what_rounds_is_refused(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(NotImplementedError, match="has no spiking counterpart"):
        from_model(Net(lambda net, x: net.last(function(F.relu(net.first(x))))), batch_size=1)


@pytest.mark.parametrize("dtype", [torch.float64, "torch.DoubleTensor"])
def test_another_floating_point_type_is_none(dtype: Any) -> None:
    assert (
        largest_difference(lambda net, x: net.last(F.relu(net.first(x).type(dtype)).float())) < 0.01
    )


@pytest.mark.parametrize(
    "normalise",
    [
        lambda x: F.batch_norm(x, torch.zeros(6), torch.ones(6), training=True),
        lambda x: torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False),
    ],
)
def test_statistics_of_the_batch_are_refused(normalise: Callable[[Tensor], Tensor]) -> None:
    ann = Net(lambda net, x: net.last(F.relu(normalise(net.first(x))))).eval()
    with pytest.raises(NotImplementedError, match="batch_norm"):
        from_model(ann, batch_size=1)


def test_random_numbers_are_not_frozen() -> None:
    def noisy(net: Net, x: Tensor) -> Tensor:
        return net.last(F.relu(net.first(x) + torch.rand(6)))

    with pytest.raises(NotImplementedError, match=r"tensor of shape \(6,\) that is another one"):
        from_model(Net(noisy), batch_size=1)

    layers = Net(lambda net, x: net.last(net.relu(net.first(x) + torch.rand(6))))
    from_model(layers, batch_size=1)  # is not rewritten: its forward pass draws anew


def _after(in_place: Any, net: Net, x: Tensor) -> Tensor:
    """The last layer's output on a tensor that another name for it has changed."""
    hidden = net.first(x)
    in_place(hidden)
    return net.last(hidden)


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: _after(lambda h: F.relu_(h[:, :3]), net, x),
        lambda net, x: _after(lambda h: net.inplace(h.view(-1, 2, 3)), net, x),
        lambda net, x: _after(lambda h: h.data.relu_(), net, x),
        lambda net, x: (lambda h, same: net.last(net.inplace(h)) + net.last(same))(
            *(lambda h: (h, nn.functional.dropout(h, 0.5, net.training)))(net.first(x))
        ),
    ],
)
def test_a_relu_in_place_whose_memory_has_another_name_is_refused(forward: Forward) -> None:
    with pytest.raises(NotImplementedError, match="overwrites its input in place"):
        largest_difference(forward)


def test_a_shape_is_no_name_of_its_tensor() -> None:
    def forward(net: Net, x: Tensor) -> Tensor:
        hidden = net.first(x)
        samples = hidden.shape[0]
        F.relu(hidden, inplace=True)
        return net.last(hidden.view(samples, -1))

    assert largest_difference(forward) < 0.01


def test_what_an_attribute_views_is_a_name_of_its_tensor() -> None:
    def forward(net: Net, x: Tensor) -> Tensor:
        hidden = net.first(x)
        same = hidden.data.flatten(1)
        F.relu(hidden, inplace=True)
        return net.last(same) + net.last(hidden)

    with pytest.raises(NotImplementedError, match="overwrites its input in place"):
        largest_difference(forward)


def test_pieces_of_a_tensor_share_no_memory() -> None:
    def forward(net: Net, x: Tensor) -> Tensor:
        left, right = net.first(x).chunk(2, 1)
        return net.last(torch.cat([F.relu(left, inplace=True), right], 1))

    assert largest_difference(forward) < 0.01


def _added(net: Net, x: Tensor) -> Tensor:
    hidden = F.relu(net.first(x))
    same = hidden
    hidden += x.sum(1, keepdim=True)
    return net.last(same) + net.last(hidden)


def _added_to_a_view(net: Net, x: Tensor) -> Tensor:
    hidden = F.relu(net.first(x))
    view = hidden.unflatten(1, (2, 3))
    hidden *= 0.5
    return net.last(view.flatten(1))


def _count(net: Net, x: Tensor) -> Tensor:
    width = x.size(1)
    half = width
    width += 2
    return net.last(F.relu(net.first(x)).reshape(-1, width)) / half


@pytest.mark.parametrize("forward", [_added, _added_to_a_view, _count])
def test_a_tensor_changed_by_an_operator_in_place_is_seen_by_all_its_names(
    forward: Forward,
) -> None:
    assert largest_difference(forward) < 0.01


class Cached(nn.Module):
    """Keeps what it was called with, as a model does that somebody looks into."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x
        return x


def _asks_for_a_tensor(net: Net, x: Tensor) -> Tensor:
    if not isinstance(x, Tensor | np.ndarray) or isinstance(x.size(1), Tensor):
        raise TypeError("expected a tensor")
    return net.last(F.relu(net.first(Cached()(x.data)))) if torch.is_tensor(x.data) else x


def test_an_input_is_a_tensor_to_who_asks() -> None:
    network = from_model(Net(_asks_for_a_tensor), batch_size=1)
    network(torch.ones(1, 4))
    assert [layer.shape for _, layer in stateful_layers(network)] == [(1, 6)]  # it ran
    assert largest_difference(_asks_for_a_tensor) < 0.01
    assert isinstance.__module__ == "builtins"


class Named(nn.Linear):
    """A linear layer by another name, which is a layer to the tracer as well."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        nn.init.normal_(self.weight)


class Rectifying(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x))


def patched(layer: nn.Module, forward: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    """The layer, with another forward pass put into it."""
    layer.forward = types.MethodType(forward, layer)
    return layer


RECTIFIES_BY_ITSELF = [
    Rectifying(4, 6),
    patched(nn.Linear(4, 6), lambda layer, x: F.relu(nn.Linear.forward(layer, x))),
]


@pytest.mark.parametrize("layer", RECTIFIES_BY_ITSELF)
def test_a_layer_with_a_forward_pass_of_its_own_is_looked_into(layer: nn.Module) -> None:
    ann = nn.Sequential(layer, nn.Linear(6, 3))
    network = from_model(ann, batch_size=1)
    network(torch.ones(1, 4))
    assert [neuron.shape for _, neuron in stateful_layers(network)] == [(1, 6)]
    with pytest.raises(NotImplementedError, match="tanh"):
        from_model(nn.Sequential(patched(nn.Linear(4, 6), lambda _, x: x.tanh())), batch_size=1)


@pytest.mark.parametrize("layer", RECTIFIES_BY_ITSELF)
def test_nothing_is_written_or_folded_for_it(layer: nn.Module) -> None:
    with pytest.raises(NotImplementedError, match=r"has no NIR node|forward that was set on it"):
        to_nir(nn.Sequential(layer, IAF()), torch.ones(1, 5, 4))
    with pytest.raises(NotImplementedError, match=r"follows '0'.*forward pass of its own"):
        fold_batch_norm(nn.Sequential(layer, nn.BatchNorm1d(6)))


def test_a_subclass_that_computes_as_its_class_is_a_layer() -> None:
    layer = Named(4, 6)
    graph = to_nir(nn.Sequential(layer, IAF()), torch.ones(1, 5, 4))
    assert (graph.nodes["0"].weight == layer.weight.detach().numpy()).all()


class Pair(NamedTuple):
    hidden: Tensor
    last: Tensor


@dataclass
class Result:
    hidden: Tensor
    last: Tensor


class Twice(Result):
    def __post_init__(self) -> None:
        self.last = self.last * 2


def test_an_output_that_computes_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"calls Twice\(\)"):
        from_model(Net(lambda net, x: Twice(F.relu(x), net.first(x))), batch_size=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Pair, Result])
def test_outputs_by_name_are_converted(kind: Any) -> None:
    def forward(net: Net, x: Tensor) -> Any:
        hidden = F.relu(net.first(x))
        return kind(hidden, net.last(hidden))

    ann, x = Net(forward).eval().requires_grad_(False), torch.rand(1, 4)
    output = from_model(ann, batch_size=1, min_v_mem=None)(x.expand(400, 4))
    assert type(output) is kind
    assert (output.last.mean(0) - ann(x).last).abs().max() < 0.01
    assert torch.equal(output.hidden, output.hidden.round())
