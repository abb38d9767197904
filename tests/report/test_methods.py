"""The paragraph for a methods section says how a count was made, and what its author has to settle."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import picojoule
from picojoule import Monitor, Report
from picojoule.energy import profiles
from picojoule.report.record import InputTensor
from tests.report.reports import AWKWARD

GOLDEN = Path(__file__).parents[1] / "golden"
STATED = replace(
    AWKWARD,
    synops_per_sample_sd=45.25,
    inputs=(InputTensor((4, 10, 1, 8, 8), "dense"),),
    versions={"picojoule": "1.2.3", "torch": "2.9.0"},
)


@pytest.mark.parametrize(
    ("name", "profile"),
    [("methods", None), ("methods_two_profiles", ["loihi", "45nm-fp32+step"])],
)
def test_the_paragraph(name: str, profile: list[str] | None) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text()
    assert STATED.methods_text(profile=profile) + "\n" == expected


def test_the_versions_are_those_that_counted() -> None:
    layer = torch.nn.Linear(3, 4)
    with Monitor(layer) as monitor:
        layer(torch.ones(5, 3))
    report = monitor.report()
    assert report.versions == {"picojoule": picojoule.__version__, "torch": torch.__version__}
    said = f"with Picojoule {picojoule.__version__} and PyTorch {torch.__version__}."
    assert said in report.methods_text()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "All weights count as synapses, those of value zero included."),
        ({"weights": "nonzero"}, "Weights of value zero count as no synapses."),
        ({}, "Products of dense values are counted apart, as multiply-accumulate operations (MACs)."),
        ({"counted_by": "sinabs"}, "which is the convention of sinabs 3.1.3"),
        ({"ignored": ("head", "tail")}, "Left out of the count, with all that they contain: 'head' and 'tail'."),
        ({}, "All numbers are means over 4 samples of 10 time steps: 1,232 ± 45.25 SynOps"),
        ({"samples": 1, "num_timesteps": 1, "synops_per_sample_sd": None}, "All numbers are of 1 sample of 1 time step, so they have no spread: 1,232 SynOps and 64,000 MACs per sample."),
        ({}, "Not among these operations are 40 additions of biases and 120 neuron updates per sample."),
        ({"biases_per_sample": 0.0}, "Not among these operations are 120 neuron updates per sample."),
    ],
)  # fmt: skip
def test_each_choice_is_stated(changes: dict[str, object], sentence: str) -> None:
    assert sentence in replace(STATED, **changes).methods_text()


def test_nothing_that_was_not_asked_for_is_said() -> None:
    said = replace(STATED, rows=STATED.rows[2:], synops_per_sample_sd=None).methods_text()
    for word in ("MACs are those of", "±", "Energ", " J", "Left out", "To settle"):
        assert word not in said


@pytest.mark.parametrize("profile", [each.name for each in profiles() if each.has_joules()])
def test_every_profile_has_its_source_its_grade_and_what_it_lacks(profile: str) -> None:
    said = STATED.methods_text(profile=profile)
    chip = picojoule.energy.profile(profile)
    assert f"The figures of {profile} are from {chip.source} ({chip.grade()}" in said
    assert f"they include: {chip.includes}." in said
    lacking = ["64,000 MACs"] if chip.mac_j is None else []
    lacking += ["120 neuron updates"] if chip.neuron_update_j is None else []
    without = f"without {' and '.join(lacking)}, for which the source has no figure"
    assert not lacking or without in said
    assert ("a figure of" in said) == (not chip.verified)
    assert ("Memory traffic is not in this energy." in said) == chip.arithmetic_only


@pytest.mark.parametrize(
    ("profile", "weights", "sentence"),
    [
        ("loihi", "all", "loihi skips weights of value zero, which are counted here."),
        ("odin", "nonzero", "odin spends on weights of value zero, which are not counted here."),
        ("seneca", "nonzero", "Whether seneca skips weights of value zero, as is assumed here, its source does not say."),
    ],
)  # fmt: skip
def test_a_chip_that_treats_zero_weights_otherwise_is_told(
    profile: str, weights: str, sentence: str
) -> None:
    said = replace(STATED, weights=weights).methods_text(profile=profile)  # type: ignore[arg-type]
    assert sentence in said


def test_what_has_to_be_settled_is_no_part_of_the_paragraph() -> None:
    doubt = "no layer says where the 4 time steps are; pass time_axis="
    said = replace(STATED, inputs=(), warnings=(doubt,)).methods_text(profile="truenorth-2014")
    paragraph, settle = said.split("\n\n")
    assert settle.startswith(
        "To settle before this is printed: what the input was is not recorded;"
    )
    assert "truenorth-2014 is recalled, not read in its source" in settle
    assert settle.endswith(doubt)
    assert doubt not in paragraph


def test_a_name_with_line_breaks_stays_in_its_paragraph() -> None:
    said = replace(STATED, model="a\n\nb", ignored=("c\n\nd",)).methods_text()
    assert len(said.split("\n")) == 1


def test_a_report_of_nothing() -> None:
    said = Report(model="Empty", rows=(), samples=1, num_timesteps=1).methods_text(profile="loihi")
    assert "On loihi the network takes 0 J per sample (no operation with a price)." in said
