"""The deprecated counters; each case number is that of sinabs' bug in the facts the table is made of."""

import copy
import gc
import math
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.compat.sinabs.synopcounter import SNNAnalyzer, SynOpCounter
from picojoule.layers import (
    IAF,
    ExpLeak,
    FlattenTime,
    IAFRecurrent,
    IAFSqueeze,
    NeuromorphicReLU,
    Repeat,
    UnflattenTime,
)


def analyzer(model: nn.Module, **arguments: Any) -> SNNAnalyzer:
    with pytest.warns(DeprecationWarning, match="use picojoule.hooks"):
        return SNNAnalyzer(model, **arguments)


def synops(watch: SNNAnalyzer, layer: str, average: bool = False) -> float:
    return watch.get_layer_statistics(average)["parameter"][layer]["synops"].item()


def conv(kernel: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, bias=False)


def test_a1_the_total_has_the_poolings_of_the_layers() -> None:
    model = nn.Sequential(nn.AvgPool2d(2), conv())
    watch = analyzer(model)
    model(torch.ones(1, 1, 4, 4))
    assert synops(watch, "1") == watch.get_model_statistics()["synops"].item() == 16


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.AvgPool2d(2), nn.Dropout(0.0), nn.Identity()], 16),
        ([nn.AvgPool2d(2), nn.BatchNorm2d(1).eval()], 16),
        ([nn.AvgPool2d(2), IAFSqueeze(batch_size=1)], 4),
        ([nn.AvgPool2d(2, divisor_override=1)], 16),
        ([nn.AdaptiveAvgPool2d(2)], 16),
        ([nn.AvgPool2d(2), conv()], 4),
    ],
    ids=["plain", "norm", "spiking", "divisor", "adaptive", "second conv"],
)
def test_pooled_spikes_count_as_the_spikes_they_were(
    layers: list[nn.Module], expected: int
) -> None:
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    model = nn.Sequential(*layers, conv())
    watch = analyzer(model)
    model(torch.ones(1, 1, 4, 4))
    assert synops(watch, str(len(layers))) == pytest.approx(expected, rel=1e-4)


def test_pooling_is_followed_into_two_branches_and_through_functions() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.left, self.right, self.after = nn.AvgPool2d(2), conv(), conv(), conv()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            pooled = self.pool(x)
            return self.left(pooled), self.right(pooled), self.after(torch.relu(self.pool(x)))

    watch = analyzer(model := Branches())
    model(torch.ones(1, 1, 4, 4))
    assert [synops(watch, name) for name in ("left", "right", "after")] == [16, 16, 16]


def test_an_average_of_unknown_size_is_no_number_rather_than_a_wrong_one() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(3), conv())
    watch = analyzer(model)
    model(torch.ones(1, 1, 4, 4))
    assert math.isnan(synops(watch, "1"))


def test_a2_a3_batches_of_different_sizes_average_by_sample() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), IAF())
    nn.init.ones_(model[0].weight)
    watch = analyzer(model)
    model(torch.ones(3, 4, 2))  # 2 spikes a step, 4 steps, 3 samples
    model.apply(lambda m: m.reset_states() if isinstance(m, IAF) else None)
    model(torch.zeros(1, 4, 2))
    assert synops(watch, "0", average=True) == pytest.approx(2 * 4 * 3 * 3 / 4)
    spiking = watch.get_layer_statistics(average=True)["spiking"]["1"]
    assert spiking["firing_rate"].item() == pytest.approx(2 * 3 / 4)
    assert spiking["output"] is None
    assert watch.get_layer_statistics()["spiking"]["1"]["output"].shape == (1, 4, 3)


def test_a6_batch_and_time_are_looked_up_at_each_call() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), IAFSqueeze(batch_size=2))
    watch = analyzer(model)
    model[1].batch_size = 5
    model(torch.ones(5 * 4, 2))
    statistics = watch.get_layer_statistics()["parameter"]["0"]
    assert (statistics["num_timesteps"], statistics["synops"].item()) == (4, 2 * 3 * 4)


def test_each_layer_has_the_sizes_of_its_own_squeezing_layer() -> None:
    model = nn.ModuleDict(
        {
            "a": nn.Sequential(nn.Linear(2, 3), IAFSqueeze(batch_size=2)),
            "b": nn.Sequential(nn.Linear(2, 3), IAFSqueeze(batch_size=5)),
        }
    )
    watch = analyzer(model)
    model["a"](torch.ones(2 * 4, 2))
    model["b"](torch.ones(5 * 6, 2))
    parameter = watch.get_layer_statistics()["parameter"]
    assert [parameter[name]["num_timesteps"] for name in ("a.0", "b.0")] == [4, 6]


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(Repeat(conv()), IAF()),
        nn.Sequential(FlattenTime(), conv(), UnflattenTime(2), IAF()),
        nn.Sequential(FlattenTime(), conv(), IAFSqueeze(batch_size=2), UnflattenTime(2)),
    ],
    ids=["Repeat", "FlattenTime", "squeezed"],
)
def test_a7_time_is_known_however_it_is_folded(model: nn.Module) -> None:
    watch = analyzer(model, dt=10.0)
    model(torch.ones(2, 5, 1, 3, 3))
    (statistics,) = watch.get_layer_statistics()["parameter"].values()
    assert statistics["num_timesteps"] == 5
    assert statistics["time_window"] == 50.0
    assert statistics["synops"].item() == 9 * 5
    assert statistics["SynOps/s"].item() == statistics["synops/s"].item() == pytest.approx(900)


def test_a_linear_layer_behind_unflattened_time() -> None:
    model = nn.Sequential(IAFSqueeze(batch_size=2), UnflattenTime(2), nn.Linear(3, 4))
    watch = analyzer(model)
    model(torch.ones(2 * 5, 3))
    statistics = watch.get_layer_statistics()["parameter"]["2"]
    assert (statistics["num_timesteps"], statistics["synops"].item()) == (5, 3 * 4 * 5)


def test_a4_watching_ends_with_the_object_and_copies_are_not_watched() -> None:
    model = nn.Sequential(nn.Linear(2, 3), IAF())
    watch = analyzer(model)
    double = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    double(torch.ones(1, 4, 2))
    assert watch.get_layer_statistics() == {"spiking": {}, "parameter": {}}
    assert model[0]._forward_hooks
    del watch
    gc.collect()
    assert not model[0]._forward_hooks
    assert not model._forward_pre_hooks


def test_a8_statistics_before_a_forward_pass() -> None:
    watch = analyzer(nn.Sequential(nn.Linear(2, 3), IAF()))
    assert watch.get_layer_statistics() == {"spiking": {}, "parameter": {}}
    numbers = {name: value.item() for name, value in watch.get_model_statistics().items()}
    assert numbers == {"synops": 0.0, "n_spiking_neurons": 0.0, "firing_rate": 0.0}


def test_calls_of_one_forward_pass_add_up() -> None:
    """H14: sinabs counts the last call of a layer that is used twice, twice."""
    shared = nn.Linear(2, 2, bias=False)
    nn.init.ones_(shared.weight)
    model = nn.Sequential(shared, shared)
    watch = analyzer(model)
    for _ in range(2):
        model(torch.ones(1, 2))
    assert synops(watch, "0") == synops(watch, "0", average=True) == (1 + 1) * 2 + (2 + 2) * 2


def test_a_recurrent_connection_is_counted_over_its_time_steps() -> None:
    connect = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(connect.weight)
    model = nn.Sequential(IAFRecurrent(connect))
    watch = analyzer(model)
    model(torch.ones(3, 5, 2))
    statistics = watch.get_layer_statistics()["parameter"]["0.rec_connect"]
    assert (statistics["num_timesteps"], statistics["synops"].item()) == (5, 2 * 2 * 5)


def test_the_last_pass_can_be_used_in_a_loss() -> None:
    """Issue 81 of sinabs."""
    model = nn.Sequential(nn.Linear(2, 3), IAF(), nn.Linear(3, 4))
    watch = analyzer(model)
    for _ in range(2):
        model(torch.rand(2, 5, 2))
        model[1].zero_grad()
    for average in (False, True):
        (gradient,) = torch.autograd.grad(
            watch.get_model_statistics(average)["synops"], model[0].weight, retain_graph=True
        )
        assert gradient.any()


def test_layers_that_do_not_spike_are_not_listed_and_unknown_layers_are_named() -> None:
    model = nn.Sequential(IAF(), ExpLeak(5.0), nn.Bilinear(2, 2, 2))
    with (
        pytest.warns(DeprecationWarning, match="hooks"),
        pytest.warns(UserWarning, match=r"layer '2' \(Bilinear\)"),
    ):
        watch = SNNAnalyzer(model)
    model[:2](torch.ones(1, 3, 2))
    assert list(watch.get_layer_statistics()["spiking"]) == ["0"]


def test_watching_changes_nothing() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), IAFSqueeze(batch_size=2), nn.Flatten(), nn.Linear(8, 2)
    )
    data, keys = torch.rand(2 * 3, 1, 4, 4), list(model.state_dict())
    plain = copy.deepcopy(model)(data)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    watch = analyzer(model)
    assert torch.equal(model(data), plain)
    assert torch.rand(1) == expected
    assert list(model.state_dict()) == keys
    assert watch.get_model_statistics()["n_spiking_neurons"].item() == 8


def test_counter_needs_a_relu_that_has_run() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(ValueError, match="no NeuromorphicReLU"):
            SynOpCounter([NeuromorphicReLU(fanout=0)])
        counter = SynOpCounter([NeuromorphicReLU(fanout=2)], sum_activations=False)
    with pytest.raises(RuntimeError, match="call the model first"):
        counter()
