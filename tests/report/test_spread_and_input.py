"""The spread over samples and what the model was given, as the Monitor saw it."""

import json

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor, Report
from picojoule.layers import IAF, FlattenTime, IAFSqueeze
from picojoule.report.record import InputTensor


def ones(layer: nn.Linear) -> nn.Linear:
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.zero_()
    return layer


def model() -> nn.Sequential:
    return nn.Sequential(ones(nn.Linear(3, 4)), IAF(), ones(nn.Linear(4, 2)))


# 2, 5 and 8 spikes in the 4 steps of each sample; 4 synapses each
SPIKES = torch.zeros(3, 4, 3)
for sample, count in enumerate((2, 5, 8)):
    SPIKES[sample].view(-1)[:count] = 1.0


def counted(x: Tensor, **options: object) -> Report:
    with Monitor(model(), **options) as monitor:  # type: ignore[arg-type]
        monitor.model(x)
    return monitor.report()


@pytest.mark.parametrize("detail", [["sample"], ["sample", "step"], ["sample", "step", "channel"]])
def test_the_spread_is_that_of_the_samples(detail: list[str]) -> None:
    report = counted(SPIKES, detail=detail)
    first, neurons, last = report.rows
    assert first.synops_per_sample == 4 * 5
    assert first.synops_per_sample_sd == pytest.approx(4 * 3.0)  # of 2, 5, 8: 3
    # each spike makes each of the 4 neurons fire once: 4 spikes at 2 synapses
    assert last.synops_per_sample_sd == pytest.approx(8 * 3.0)
    assert neurons.synops_per_sample_sd is None
    # the layers go up and down together
    assert report.synops_per_sample_sd == pytest.approx(12 * 3.0)
    assert "60 ± 36" in report.to_text()
    assert r"60 $\pm$ 36" in report.to_latex()
    assert "SynOps/sample ± sd" in report.to_markdown()
    assert json.loads(report.to_json())["totals"]["synops_per_sample_sd"] == pytest.approx(36.0)


@pytest.mark.parametrize("detail", [[], ["step"], ["channel"]])
def test_without_that_detail_there_is_none(detail: list[str]) -> None:
    report = counted(SPIKES, detail=detail)
    assert report.synops_per_sample_sd is None
    assert "±" not in report.to_text()


def test_one_sample_has_no_spread() -> None:
    report = counted(SPIKES[:1], detail=["sample"])
    assert report.synops_per_sample_sd is None
    assert "so they have no spread" in report.methods_text()


def test_passes_that_add_up_are_more_samples() -> None:
    with Monitor(model(), detail=["sample"], accumulate=True) as monitor:
        for x in SPIKES[:, None]:
            monitor.model[1].reset_states()
            monitor.model(x)
    assert monitor.report().synops_per_sample_sd == pytest.approx(36.0)


def test_steps_that_the_user_loops_over_are_the_same_samples() -> None:
    layer = ones(nn.Linear(3, 4))
    with Monitor(layer, detail=["sample"], time_axis="outer") as monitor:
        for step in range(4):
            layer(SPIKES[:, step])
    report = monitor.report()
    assert report.synops_per_sample_sd == pytest.approx(12.0)
    assert (report.samples, report.num_timesteps) == (3, 4)


def test_folded_samples_are_told_apart() -> None:
    folded = nn.Sequential(FlattenTime(), ones(nn.Linear(3, 4)), IAFSqueeze(batch_size=3))
    with Monitor(folded, detail=["sample"]) as monitor:
        folded(SPIKES)
    assert monitor.report().synops_per_sample_sd == pytest.approx(12.0)


def test_dense_values_spend_no_synops_in_any_sample() -> None:
    report = counted(torch.rand(3, 4, 3), detail=["sample"])
    assert report.rows[0].synops_per_sample_sd == 0


class Summed(nn.Module):
    """A layer gets the sum over the samples: nobody can tell whose SynOps these are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = ones(nn.Linear(3, 4)), ones(nn.Linear(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x).sum() + self.last(x.sum(0)).sum()


def test_a_layer_whose_samples_cannot_be_told_apart_has_no_spread_nor_has_the_whole() -> None:
    summed = Summed()
    with Monitor(summed, detail=["sample"], time_axis="bt") as monitor:
        summed(SPIKES)
    report = monitor.report()
    assert [row.synops_per_sample_sd for row in report.rows] == [pytest.approx(12.0), None]
    assert report.synops_per_sample_sd is None
    assert "20 ± 12" in report.to_text()
    assert "mean ± standard deviation" not in report.methods_text()


# ---- what the model was given


@pytest.mark.parametrize(
    ("x", "options", "kind"),
    [
        (SPIKES, {}, "spikes"),
        (SPIKES * 0.5, {}, "dense"),
        (SPIKES * 0.5, {"inputs": "spikes"}, "spikes"),
        (SPIKES, {"inputs": "dense"}, "dense"),
    ],
)
def test_the_input_is_told(x: Tensor, options: dict[str, object], kind: str) -> None:
    report = counted(x, **options)
    assert [(each.shape, each.kind) for each in report.inputs] == [((3, 4, 3), kind)]
    words = {"spikes": "taken for spikes", "dense": "taken for dense values"}[kind]
    assert f"The input was of shape 3 x 4 x 3, {words}." in report.methods_text()
    told = json.loads(report.to_json())["inputs"]
    assert told == [{"shape": [3, 4, 3], "kind": kind}]


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(9, 2), ones(nn.Linear(3, 4))

    def forward(self, ids: Tensor, x: Tensor, unused: Tensor) -> Tensor:
        out: Tensor = self.table(ids).sum() + self.head(x)
        return out


def test_each_of_several_inputs_is_told() -> None:
    two = Two()
    with Monitor(two) as monitor:
        two(torch.tensor([[1, 2]]), torch.rand(1, 5, 3), unused=torch.rand(7))
    report = monitor.report()
    assert report.inputs == (
        InputTensor((1, 2), "spikes"),
        InputTensor((1, 5, 3), "dense"),
        InputTensor((7,), None),
    )
    sentence = (
        "The inputs were of shapes 1 x 2, taken for spikes; 1 x 5 x 3, taken for dense values; 7."
    )
    assert sentence in report.methods_text()


def test_an_input_is_spikes_over_several_passes_if_it_is_in_each() -> None:
    network = model()
    with Monitor(network, accumulate=True) as monitor:
        network(SPIKES)
        assert monitor.report().inputs[0].kind == "spikes"
        network(SPIKES * 0.5)
    assert monitor.report().inputs == (InputTensor((3, 4, 3), "dense"),)


def test_a_model_without_tensors_has_no_input() -> None:
    class Source(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 4)

        def forward(self, size: int) -> Tensor:
            out: Tensor = self.head(torch.ones(size, 3))
            return out

    source = Source()
    with Monitor(source, samples=1, num_timesteps=1) as monitor:
        source(2)
    report = monitor.report()
    assert report.inputs == ()
    assert "what the input was is not recorded" in report.methods_text()
