"""What the gym measures and when it says that a run has passed, on figures made by hand."""

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

import picojoule
from benchmarks.budget_gym.data import Samples
from benchmarks.budget_gym.limits import Constraint, Limit
from benchmarks.budget_gym.measure import Figures, measure
from benchmarks.budget_gym.probe import Probe
from benchmarks.budget_gym.run import Spec
from benchmarks.budget_gym.sequences import CHANNELS, CLASSES, TIMESTEPS, draw_sequences, templates
from benchmarks.budget_gym.store import Store
from benchmarks.budget_gym.table import print_table
from benchmarks.budget_gym.tasks import TASKS, Task
from benchmarks.budget_gym.verdict import floors, silenced, verdict

SPENT = {"0": 100.0, "2": 40.0, "4": 20.0, "6": 10.0}
TRAINED = ("2", "4", "6")


def row(**changes: object) -> dict[str, object]:
    """A run that passes, but for the changes."""
    found = {
        "before": {"group": 1.0},
        "after": {"group": 0.99},
        "late": 1.0,
        "overshoot": 1.1,
        "swing": 0.1,
        "accuracy": {"free": 0.9, "before": 0.8, "after": 0.8},
        "silenced": [],
        "floors": {},
        "pull": 1.5,
    }
    return {**found, **changes}


def test_a_share_of_what_the_trained_layers_spend_freely() -> None:
    assert Limit(0.1).constraints(SPENT, TRAINED) == (Constraint("group", TRAINED, 7.0),)
    halves = Limit(0.5, per="halves").constraints(SPENT, TRAINED)
    assert [(each.layers, each.bound) for each in halves] == [(("2",), 20.0), (("4", "6"), 15.0)]
    layers = Limit(0.5, per="layer").constraints(SPENT, TRAINED)
    assert [each.bound for each in layers] == [20.0, 10.0, 5.0]


def test_the_limit_of_a_model_has_what_is_given_on_top() -> None:
    (whole,) = Limit(0.1, per="model").constraints(SPENT, TRAINED)
    assert whole.bound == 100.0 + 7.0
    assert whole.ratio(SPENT) == pytest.approx(170 / 107)


def test_a_number_of_synops_does_not_depend_on_the_free_network() -> None:
    limits = Limit(synops=1e5, per="layer").constraints(SPENT, TRAINED)
    assert [each.bound for each in limits] == [1e5, 1e5, 1e5]


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, []),
        ({"after": {"2": 1.02, "4": 0.5}}, ["after trim"]),
        ({"after": {"2": 0.94, "4": 0.5}}, ["after trim"]),
        ({"before": {"group": 1.11}}, ["before trim"]),
        ({"before": {"group": 0.89}}, ["before trim"]),
        ({"late": 1.11}, ["before trim"]),
        ({"swing": 0.16}, ["swings"]),
        ({"silenced": ["3"]}, ["alive"]),
        ({"floors": {"3": {"kept": False, "declared": False}}}, ["floors"]),
        ({"floors": {"3": {"kept": False, "declared": True}}}, []),
    ],
)
def test_each_rule_breaks_by_itself(changes: dict, broken: list[str]) -> None:
    assert [rule for rule, kept in verdict(row(**changes)).items() if not kept] == broken


def test_nothing_pulls_synops_up_where_there_is_no_task() -> None:
    alone = {"free": None, "before": None, "after": None}
    spent = {"accuracy": alone, "before": {"4": 0.5}, "after": {"4": 0.5}, "late": 0.5}
    assert all(verdict(row(**spent)).values())


def figures(**rates: list[float]) -> Figures:
    named = {name.lstrip("l"): torch.tensor(rate) for name, rate in rates.items()}
    return Figures(synops={}, rates=named, accuracy=None, answers=0)


def test_a_layer_is_silenced_unless_it_was_silent_before_or_is_declared() -> None:
    free = figures(l1=[0.1, 0.0], l3=[0.0, 0.0], l5=[0.1, 0.1], l7=[1.0, 1.0])
    now = figures(l1=[0.0, 0.0], l3=[0.0, 0.0], l5=[0.0, 0.0], l7=[1.0, 0.0])
    assert silenced(free, now, ["synops_per_timestep of 5"]) == ["1"]


@pytest.mark.parametrize(("of", "kept"), [("layer", True), ("neuron", False)])
def test_a_floor_is_of_the_mean_or_of_each_neuron(of: str, kept: bool) -> None:
    task = Task("", TASKS["tiny-10"].recipe, Limit(0.1, floor=0.2, floor_of=of))
    found = floors(task, figures(l1=[0.5, 0.1]), ["min_rate of each neuron of 1"])
    assert found["1"]["kept"] is kept
    assert found["1"]["declared"]
    assert not floors(task, figures(l1=[0.5]), ["synops_per_timestep of 1"])["1"]["declared"]


class Scripted(nn.Module):
    """Spends what the script says, one line a pass."""

    def __init__(self, rates: list[float]) -> None:
        super().__init__()
        self.fc, self.left = nn.Linear(100, 1, bias=False), list(rates)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = torch.zeros_like(x)
        spikes[..., : round(100 * self.left.pop(0))] = 1
        return self.fc(spikes)


def test_overshoot_is_over_what_was_allowed_by_then_and_swings_are_of_the_last_third() -> None:
    spent = [1.0, 0.5, 0.5, 0.1, 0.1, 0.12, 0.1, 0.08, 0.11, 0.1]  # at steps 0 to 9
    model = Scripted(spent)
    samples = Samples(torch.ones(1, 1, 100), None)
    with picojoule.Monitor(model, time_axis="bt") as monitor:
        probe = Probe(model, monitor, samples, [Constraint("fc", ("fc",), 10.0)], steps=9)
        for step in range(1, 10):
            probe(step)
    assert probe.at == list(range(10))
    assert probe.ratios == [[pytest.approx(10 * each)] for each in spent]
    # allowed after 2 of 0.4 * 9 steps: 10^(1 - 2 / 3.6)
    assert probe.overshoot == pytest.approx(5 / 10 ** (1 - 2 / 3.6))
    assert probe.swing == pytest.approx(1.1 - 0.8)
    assert probe.late == pytest.approx((1.0 + 0.8 + 1.1 + 1.0) / 4)


def test_what_is_measured_in_chunks_is_that_of_all_samples() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), picojoule.layers.IAF(), nn.Linear(8, 3))
    samples = Samples((torch.rand(450, 4, 6) < 0.5).float(), torch.arange(450) % 3)
    with picojoule.Monitor(model) as monitor:
        found = measure(model, monitor, samples)
        picojoule.reset_states(model)
        answer = model(samples.inputs).sum(1).argmax(1)
    assert found.synops["2"] == pytest.approx(monitor.synops["2"].item())
    torch.testing.assert_close(found.rates["1"], monitor.rates["1"].detach())
    assert found.accuracy == pytest.approx((answer == samples.labels).float().mean().item())
    assert found.answers == len(answer.unique())


def test_utterances_follow_from_the_seed_and_differ_from_each_other() -> None:
    words = templates(torch.Generator().manual_seed(0))
    labels = torch.arange(1000) % CLASSES
    first, again, other = (
        draw_sequences(words, labels, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (1000, TIMESTEPS, CHANNELS)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    mean, held_out = (
        torch.stack([each.flatten(1)[labels == c].float().mean(0) for c in range(CLASSES)])
        for each in (first, other)
    )
    nearest = torch.cdist(held_out, mean).argmin(1)
    assert torch.equal(nearest, torch.arange(CLASSES))


def test_a_run_in_the_file_is_not_repeated_unless_the_task_changed(tmp_path: Path) -> None:
    path, spec = tmp_path / "gym.json", Spec("tiny-10", 1)
    done = {**vars(spec), "settings": TASKS["tiny-10"].settings(), **row()}
    Store(path, {"commit": "abc"}).add([done])
    found = Store(path, {"commit": "def"})
    assert found.get(spec)["commit"] == "abc"
    assert found.get(Spec("tiny-10", 2)) is None
    found.add([{**done, "settings": {**done["settings"], "steps": 7}}])
    assert Store(path, {"commit": "def"}).get(spec) is None
    assert json.loads(path.read_text())["commit"] == "def"


def test_the_table_has_a_line_for_each_task_and_says_what_was_broken() -> None:
    spec = {"task": "tiny-10", "synapses": "keep", "loop": "backward"}
    good, bad = row(), row(after={"group": 1.2}, silenced=["3"])
    rows = [{**spec, **each, "verdict": verdict(each)} for each in (good, bad)]
    rows.append({**spec, "task": "mlp-10", "failure": "ValueError: no"})
    out = io.StringIO()
    print_table(Console(file=out, width=200), rows)
    tiny, mlp = (line for line in out.getvalue().splitlines() if "backward" in line)
    assert "0.990 1.200" in tiny
    assert "after trim, silent: 3" in tiny
    assert "ValueError: no" in mlp
    assert "0 of 2 passed" in out.getvalue()


def test_each_task_is_listed_by_its_name() -> None:
    assert all(task.name == name for name, task in TASKS.items())
