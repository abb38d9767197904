"""What a report says of a model, and in which forms."""

import base64
import dataclasses
import html.parser
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Monitor, Report
from picojoule.layers import IAF, ExpLeak
from tests.report.reports import AWKWARD, written

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("to_text", "report.txt"),
        ("to_markdown", "report.md"),
        ("to_latex", "report.tex"),
        ("to_html", "report.html"),
        ("to_json", "report.json"),
    ],
)
def test_forms(form: str, file: str) -> None:
    assert written(AWKWARD, form).rstrip("\n") == (GOLDEN / file).read_text().rstrip("\n")


def test_print_shows_the_text() -> None:
    assert str(AWKWARD) == AWKWARD.to_text()


def test_json_is_the_dict() -> None:
    assert json.loads(AWKWARD.to_json()) == AWKWARD.to_dict()


def test_html_closes_what_it_opens_and_keeps_names() -> None:
    class Reader(html.parser.HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []
            self.words: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "img", "wbr"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_data(self, data: str) -> None:
            self.words.append(data)

    reader = Reader()
    reader.feed(AWKWARD.to_html())
    assert not reader.open
    assert "stem_a&<b>" in reader.words


def counted(model: nn.Module, x: Tensor) -> Report:
    with Monitor(model) as monitor:
        model(x)
    return monitor.report()


def test_rows_in_the_order_of_the_model() -> None:
    model = nn.Sequential(nn.Linear(3, 4), IAF(), nn.Linear(4, 2), ExpLeak(tau_mem=5.0))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[0].bias.zero_()
    report = counted(model, torch.ones(5, 10, 3))
    first, iaf, last, leak = report.rows
    assert [row.name for row in report.rows] == ["0", "1", "2", "3"]
    assert [row.kind for row in report.rows] == ["Linear", "IAF", "Linear", "ExpLeak"]
    assert (first.synops_per_timestep, first.synops_per_sample) == (12.0, 120.0)
    assert (first.spikes_per_synapse, first.macs_per_sample, first.macs_one_pass) == (1, 0, 12)
    assert (iaf.neurons, iaf.firing_rate, iaf.silent_share) == (4, 3.0, 0.0)
    assert [row.neuron_updates_per_sample for row in report.rows] == [None, 40, None, 20]
    assert (last.synops_per_timestep, last.spikes_per_synapse) == (24.0, 3.0)
    assert leak.firing_rate is None
    assert report.synops_per_sample == 360.0
    assert report.biases_per_sample == 10 * (4 + 2)
    assert report.neuron_updates_per_sample == 10 * (4 + 2)
    assert (report.samples, report.num_timesteps) == (5, 10)


def test_time_steps_are_a_whole_number_unless_samples_differ_in_theirs() -> None:
    model = nn.Sequential(nn.Linear(3, 4), IAF())

    def steps_of(*lengths: int) -> float:
        with Monitor(model, accumulate=True) as monitor:
            for length in lengths:
                picojoule.reset_states(model)
                model(torch.ones(1, length, 3))
        report = monitor.report()
        assert json.loads(report.to_json())["num_timesteps"] == report.num_timesteps
        assert monitor.synops.num_timesteps == report.num_timesteps
        return report.num_timesteps

    assert repr(steps_of(10, 10)) == "10"
    assert repr(steps_of(5, 10)) == "7.5"


def test_a_dense_input_is_flagged_and_apart() -> None:
    report = counted(nn.Sequential(nn.Linear(3, 4, bias=False), IAF()), torch.rand(2, 5, 3))
    row = report.rows[0]
    assert (row.input, row.synops_per_sample, row.macs_per_sample) == ("dense", 0, 60)
    assert row.spikes_per_synapse is None
    assert report.biases_per_sample == 0
    assert "Dense input: 0 Linear." in str(report)


def test_a_report_is_detached_and_frozen() -> None:
    model = nn.Sequential(nn.Linear(3, 4), IAF(), nn.Linear(4, 2))
    with Monitor(model) as monitor:
        model(torch.rand(2, 5, 3))
        report = monitor.report()
        before = report.to_dict()
        model(torch.zeros(2, 5, 3))
    assert report.to_dict() == before
    assert not any(isinstance(value, Tensor) for value in dataclasses.astuple(report.rows[0]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.samples = 3  # type: ignore[misc]


def test_steps_that_the_user_loops_over() -> None:
    layer = nn.Linear(3, 4)
    with Monitor(layer, time_axis="outer") as monitor:
        for _ in range(6):
            layer(torch.ones(2, 3))
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == (2, 6)
    assert (report.synops_per_timestep, report.synops_per_sample) == (12, 72)
    assert report.biases_per_sample == 24


def test_before_a_forward_pass_there_is_no_report() -> None:
    with pytest.raises(RuntimeError, match="no forward pass"):
        Monitor(nn.Linear(1, 1)).report()


def test_a_model_that_is_one_layer_has_a_name_in_print() -> None:
    assert "(model)" in str(counted(picojoule.layers.IAF(), torch.ones(1, 2, 3)))


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = AWKWARD.plot(tmp_path / "layers.png")
    assert (tmp_path / "layers.png").read_bytes()[:4] == b"\x89PNG"
    bars = [bar.get_width() for bar in figure.axes[0].patches]
    assert bars == [0.0, 1232.5, 64000.0, 0.0]


def test_html_with_the_picture_in_it() -> None:
    pytest.importorskip("matplotlib")
    page = AWKWARD.to_html(picture=True)
    data = page.split('src="data:image/png;base64,')[1].split('"')[0]
    assert base64.b64decode(data)[:4] == b"\x89PNG"


def test_html_has_a_picture_for_all_it_is_told() -> None:
    pytest.importorskip("matplotlib")
    page = AWKWARD.to_html(profile="loihi", picture=True, rates={"lif": torch.rand(12)})
    words = [part.split('"')[0] for part in page.split('<img alt="')[1:]]
    assert words == [
        "Operations and firing rates by layer",
        "Energy by layer and of the whole network",
        "Histograms of the neurons&#x27; firing rates by layer",
    ]
    assert "<img" not in AWKWARD.to_html(profile="loihi", picture=False)


def test_json_has_no_nan() -> None:
    odd = dataclasses.replace(AWKWARD, biases_per_sample=float("nan"))
    assert json.loads(odd.to_json())["totals"]["biases_per_sample"] is None
