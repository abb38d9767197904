"""Conventions of one forward pass, and the sentences that tell why they differ."""

import json

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor, Report
from picojoule.layers import IAF
from picojoule.report import CONVENTIONS
from picojoule.synops import fixed


def report(model: nn.Module, x: Tensor, **options: str) -> Report:
    with Monitor(model, conventions=True, **options) as monitor:
        model(x)
    return monitor.report()


def lines(text: str, convention: str) -> list[str]:
    """What is said of the layers under a convention."""
    (own,) = [p for p in text.split("\n\n") if p.startswith(f"{convention} (")]
    return own.split("\n")[1:]


def test_strict_is_the_report_itself() -> None:
    found = report(nn.Linear(3, 4), torch.ones(5, 3))
    strict = found.convention("strict")
    assert (strict.synops_per_sample, strict.macs_per_sample) == (12, 0)
    assert found.synops_per_sample == 12


def test_the_convention_of_the_monitor_is_the_same_number() -> None:
    x, layer = torch.rand(5, 3), nn.Linear(3, 4)
    with Monitor(layer, convention="sinabs") as monitor:
        layer(x)
    ours = report(layer, x).convention("sinabs")
    assert ours.synops_per_sample == pytest.approx(monitor.synops.total.item())


def test_a_monitor_of_another_convention_knows_the_strict_count() -> None:
    x, layer = torch.rand(5, 3), nn.Linear(3, 4)
    found = report(layer, x, convention="sinabs")
    same = report(layer, x)
    for name in CONVENTIONS:
        assert found.convention(name) == same.convention(name), name
    assert found.explain() == same.explain()
    assert "Counted by the convention of sinabs" in str(found)


def test_nothing_kept_nothing_told() -> None:
    with Monitor(nn.Linear(3, 4)) as monitor:
        monitor.model(torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"Pass Monitor\(model, conventions=True\)"):
        monitor.report().convention("syops")
    with pytest.raises(ValueError, match="choose one of"):
        monitor.report().convention("norse")


def test_watching_for_conventions_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(3, 8), IAF(), nn.Linear(8, 2))
    x = torch.rand(2, 5, 3, requires_grad=True)
    plain = model(x)
    (slope,) = torch.autograd.grad(plain.sum(), x)
    model[1].reset_states()
    with Monitor(model, conventions=True) as monitor:
        watched = model(x)
    (same,) = torch.autograd.grad(watched.sum() + 0 * monitor.synops.total, x)
    assert torch.equal(plain, watched)
    assert torch.equal(slope, same)


def test_accumulated_passes_add_up() -> None:
    layer, x = nn.Linear(3, 4), torch.ones(5, 3)
    with Monitor(layer, conventions=True, accumulate=True) as monitor:
        layer(x)
        layer(0 * x)
    found = monitor.report()
    counts = {name: found.convention(name).synops_per_sample for name in CONVENTIONS}
    assert counts.pop("syops") == pytest.approx((5 * 12 + 4) / 10)
    assert set(counts.values()) == {6.0}


def test_json_has_the_totals() -> None:
    found = json.loads(report(nn.Linear(3, 4), torch.ones(5, 3)).to_json())
    assert list(found["conventions"]) == list(CONVENTIONS)


def test_dense_input_and_border() -> None:
    conv = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False))
    text = report(conv, torch.rand(2, 1, 4, 4) + 0.1).explain()
    assert "as if it were spikes" in lines(text, "sinabs")[0]
    assert lines(text, "neurobench") == []
    assert lines(text, "syops") == [
        "- 0 Conv2d: 0 SynOps and 288 MACs instead of 0 SynOps and 200 MACs: products with the padded border count."
    ]
    assert lines(text, "spikingjelly") == []


def test_graded_spikes_and_biases() -> None:
    model = nn.Sequential(nn.Linear(3, 4))
    text = report(model, 2 * torch.ones(2, 3)).explain()
    assert lines(text, "sinabs") == []
    assert lines(text, "neurobench") == [
        "- 0 Linear: 0 SynOps and 12 MACs instead of 24 SynOps and 0 MACs: values other than -1, 0 and 1 turn all its operations into MACs, one a value."
    ]
    assert "biases count" in lines(text, "syops")[0]
    assert lines(text, "spikingjelly") == [
        "- 0 Linear: 0 SynOps instead of 24 SynOps: values other than 0 and 1 make it count nothing."
    ]


def test_pruned_weights() -> None:
    model = nn.Sequential(nn.Linear(3, 4, bias=False))
    with torch.no_grad():
        model[0].weight[0] = 0
    x = torch.ones(2, 3)
    kept = report(model, x).explain()
    assert lines(kept, "neurobench")[0].endswith(
        "12 SynOps and 0 MACs: pruned weights are left out."
    )
    left_out = report(model, x, weights="nonzero").explain()
    assert lines(left_out, "neurobench") == []
    for convention in ("sinabs", "syops", "spikingjelly", "rate_flops"):
        assert lines(left_out, convention)[0].endswith("pruned weights count.")


def test_pooled_spikes() -> None:
    model = nn.Sequential(IAF(), nn.AvgPool1d(2), nn.Linear(2, 3, bias=False))
    text = report(model, torch.ones(2, 5, 4)).explain()
    assert "count by their value" in lines(text, "rate_flops")[0]


class Functional(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x @ x.mT


def test_functional_calls() -> None:
    text = report(Functional(), torch.ones(2, 5, 3)).explain()
    for convention in ("neurobench", "syops"):
        assert lines(text, convention)[0].endswith("does not see this kind of layer or call.")
    assert lines(text, "spikingjelly") == []


def test_what_is_not_reproduced_is_said() -> None:
    cell = nn.Sequential(nn.GRUCell(3, 4))
    found = report(cell, torch.ones(2, 3))
    assert found.convention("neurobench").not_reproduced == ("0",)
    assert "No number is given here" in lines(found.explain(), "neurobench")[0]


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_recurrent_layers_in_the_counters_of_others(layer: type[nn.Module]) -> None:
    cell = issubclass(layer, nn.RNNCellBase)
    found = report(nn.Sequential(layer(3, 4)), torch.ones(2, 3) if cell else torch.ones(2, 5, 3))
    syops = found.convention("syops")
    assert (syops.synops, syops.macs, syops.not_reproduced) == ({"0": 0.0}, {"0": 0.0}, ())
    text = found.explain()
    assert "neither as ACs nor as MACs" in lines(text, "syops")[0]
    assert found.convention("neurobench").not_reproduced == ("0",)
    known = "non-zero values and weights" if cell else "does not count it"
    assert known in lines(text, "neurobench")[0]
    gates = layer in (nn.LSTMCell, nn.GRUCell)
    assert ("between gates" in lines(text, "neurobench")[0]) == gates
    assert "as one kernel it counts nothing" in lines(text, "spikingjelly")[0]
    assert "no rule for the rates" in lines(text, "rate_flops")[0]


@pytest.mark.filterwarnings("ignore:Monitor. no spiking layer was recognised")
def test_attention_in_the_counters_of_others() -> None:
    found = report(Attention(), torch.randint(0, 5, (2, 6)))
    for name in ("neurobench", "syops"):
        count = found.convention(name)
        assert (count.synops["mix"], count.macs["mix"]) == (0.0, 0.0)
        assert "mix" not in count.not_reproduced
    mix = [line for line in lines(found.explain(), "neurobench") if line.startswith("- mix:")]
    assert len(mix) == 1
    assert "neurobench does not count it" in mix[0]


class Mix(nn.Module):
    """A product that no counter knows."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.weight)


def test_a_layer_of_the_user_is_left_out_and_no_rule_is_made_up() -> None:
    model = nn.Sequential(Mix())
    formulas = {Mix: lambda module, x: [fixed(x, fan_out=3.0)]}
    with Monitor(model, conventions=True, formulas=formulas) as monitor:
        model(torch.ones(2, 3))
    found = monitor.report()
    assert found.convention("syops").not_reproduced == ("0",)
    assert "may have rules of its own" in lines(found.explain(), "syops")[0]


class Attention(nn.Module):
    """Lookups, spikes that meet spikes, weights that meet dense values, and layers of several products."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(5, 8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.remember = nn.LSTM(8, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        query = (self.embed(x) > 0).float()
        mixed, _ = self.mix(query, query, query)
        return self.remember(mixed + query @ query.mT @ query)[0]


@pytest.mark.filterwarnings("ignore:Monitor. no spiking layer was recognised")
def test_every_layer_is_in_every_convention_or_named_as_left_out() -> None:
    found = report(Attention(), torch.randint(0, 5, (2, 6)))
    layers = set(found.convention("strict").synops)
    assert {"embed", "mix", "remember"} < layers
    for name in CONVENTIONS:
        count = found.convention(name)
        assert set(count.synops) | set(count.not_reproduced) == layers, name
    assert found.convention("rate_flops").synops["embed"] == 0
    assert "does not see this kind" in lines(found.explain(), "syops")[0]


def test_an_empty_batch_has_no_operations() -> None:
    found = report(nn.Sequential(nn.Conv2d(1, 2, 3)), torch.zeros(0, 1, 4, 4))
    assert {found.convention(name).synops_per_sample for name in CONVENTIONS} == {0.0}
    assert "nan" not in str(found)


def test_half_precision_and_inference_mode() -> None:
    model, x = nn.Sequential(nn.Linear(3, 4)).bfloat16(), torch.ones(300, 3).bfloat16()
    with torch.inference_mode():
        found = report(model, x)
    assert found.convention("neurobench").synops_per_sample == 12
    assert found.convention("syops").synops_per_sample == pytest.approx(12 + 4 / 300)
