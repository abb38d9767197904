"""The benchmarks measure the right thing; how fast anything is, is not tested."""

import io
import json

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from benchmarks import command, watchers
from benchmarks.cases import Case, Work, those_that_run_any_call
from benchmarks.gpu import __main__ as gpu_command
from benchmarks.gpu import layer as gpu_layer
from benchmarks.gpu import recurrent as gpu_recurrent
from benchmarks.gpu import training as gpu_training
from benchmarks.implementations import Implementation, Picojoule, ReLU
from benchmarks.memory import measure_memory
from benchmarks.networks import translated
from benchmarks.participants import participants
from benchmarks.record import ratio, write
from benchmarks.tables import print_times
from benchmarks.tests_first import require_green
from benchmarks.timing import Timing, measure
from benchmarks.watchers import penalty
from benchmarks.works import WORKS, watching
from picojoule.layers import lif as lif_layers
from picojoule.synops.recorder import Recorder
from picojoule.training.networks.lenet import lenet

INSTALLED, _ = participants(peers=True)
SPIKING = [each for each in INSTALLED if not isinstance(each, ReLU)]
SUBTRACTING = [each for each in SPIKING if each.name != "Norse"]  # whose IAF resets to zero


class Fake(Implementation):
    """An implementation by name."""

    def __init__(self, name: str, peer: bool = False) -> None:
        self.name, self.peer, self.may_fail = name, peer, peer


def work(*cases: Case, tests: tuple[str, ...] = (), growth: bool = False) -> Work:
    return Work("fake", "a fake work", tests, cases, growth=growth)


def outputs(implementation: Implementation, layer: nn.Module, sequence: Tensor) -> Tensor:
    """Output `b t *n` for `sequence`, `b t *n`, whatever the implementation's layout."""
    with implementation.chosen():
        implementation.reset(layer)
        if implementation.time_axis == 1:
            return layer(sequence)
        return layer(sequence.transpose(0, 1)).transpose(0, 1)


@pytest.mark.parametrize("implementation", SUBTRACTING, ids=lambda each: each.name)
def test_all_integrate_and_fire_alike(implementation):
    # exact in float32, and never exactly at a threshold, where libraries differ
    current = torch.randint(0, 8, (3, 40, 5)) / 8 + 1 / 1024
    total = current.cumsum(1).floor()
    expected = torch.diff(total, dim=1, prepend=torch.zeros(3, 1, 5))
    layer = implementation.neurons(None)
    for _ in range(2):  # the second time from rest again
        assert torch.equal(outputs(implementation, layer, current), expected)


@pytest.mark.parametrize("implementation", SPIKING, ids=lambda each: each.name)
def test_all_leak(implementation):
    layer = implementation.neurons(20.0)
    weak, strong = torch.full((1, 200, 1), 0.04), torch.full((1, 200, 1), 0.06)
    # the potential goes to 20 to 20.5 times the input, by how the library discretises the leak
    assert outputs(implementation, layer, weak).sum() == 0
    assert 0 < outputs(implementation, layer, strong).sum() <= 12


@pytest.mark.parametrize("implementation", INSTALLED, ids=lambda each: each.name)
def test_the_translated_network_is_the_same_but_for_its_neurons(implementation):
    model = lenet(2)
    lead = implementation.lead(2, 3)
    other = translated(model, implementation, lead)
    assert other(torch.rand(*lead, 1, 28, 28)).shape == (*lead, 10)
    weights, other_weights = (
        [p for p in network.parameters() if p.ndim > 1] for network in (model, other)
    )
    assert len(weights) == len(other_weights) == 4
    for weight, other_weight in zip(weights, other_weights, strict=True):
        assert torch.equal(weight, other_weight)


@pytest.mark.parametrize(
    "implementation", those_that_run_any_call(INSTALLED), ids=lambda each: each.name
)
def test_recurrent_nets_take_every_layout_and_learn_their_feedback(implementation):
    layer = implementation.recurrent(7, 5, 20.0)
    outputs(implementation, layer, 9 * torch.rand(2, 6, 7)).sum().backward()
    square = [p for p in layer.parameters() if p.shape == (5, 5)]
    assert len(square) == 1
    assert square[0].grad.abs().sum() > 0


def test_a_named_implementation_is_forced_and_put_back():
    before = lif_layers.lif
    with Picojoule("reference").chosen():
        forced = lif_layers.lif(torch.ones(1, 2, 3), alpha_mem=1.0, impl="no such thing")
    assert forced.spikes.shape == (1, 2, 3)
    assert lif_layers.lif is before


def test_an_implementation_that_cannot_run_takes_no_part():
    with pytest.raises(ValueError, match="no such thing"):
        Picojoule("no such thing")


@pytest.mark.parametrize("name", WORKS)
def test_a_work_is_complete(name):
    registered = WORKS[name]
    assert registered.name == name
    assert all((command.RESULTS.parents[1] / folder).is_dir() for folder in registered.tests)
    labels = [case.label for case in registered.cases]
    assert len(set(labels)) == len(labels) > 0
    rows = [row.name for row in registered.rows(INSTALLED)]
    assert len(set(rows)) == len(rows) > 1
    others = {"small_calls": ["snnTorch", "snnTorch, Monitor", "Norse", "Norse, Monitor"]}
    inference = ["PyTorch, inference_mode", "Picojoule, events", "Picojoule, events in 8 bits"]
    expected = others.get(name, inference if name.startswith("events") else None)
    assert rows == expected if expected else "picojoule auto" in rows


@pytest.mark.parametrize("row", WORKS["watching"].rows(INSTALLED), ids=lambda row: row.name)
def test_watching_counts_and_plain_does_not(row, monkeypatch):
    penalties = []

    def spy(*what):
        penalties.append(penalty(*what))
        return penalties[-1]

    monkeypatch.setattr(watchers, "penalty", spy)
    watching.watched_step(row, 2, 3)()
    if "losses" in row.watched:
        assert penalties[0].requires_grad
        assert penalties[0] > 0
    else:
        assert not penalties
    assert row.name == (f"{row.over}, {row.watched}" if row.watched else row.name)


def test_the_monitors_row_watches(monkeypatch):
    watched = []
    before = Recorder.end

    def spy(self, *call):
        before(self, *call)
        watched.append(next(iter(self.ledger.lines.values())).synops)

    monkeypatch.setattr(Recorder, "end", spy)
    row = next(r for r in WORKS["watching"].rows(INSTALLED) if r.watched == "Monitor")
    watching.watched_step(row, 2, 3)()
    assert len(watched) == 1
    assert watched[0] > 0


def test_red_tests_stop_the_benchmark(tmp_path):
    (tmp_path / "test_red.py").write_text("def test_red():\n    assert False\n")
    with pytest.raises(SystemExit, match="no benchmark of a wrong result"):
        require_green([work(tests=(str(tmp_path),))])


def test_green_tests_do_not(tmp_path):
    (tmp_path / "test_green.py").write_text("def test_green():\n    assert True\n")
    require_green([work(tests=(str(tmp_path),))])


def test_implementations_take_turns():
    calls = []

    def build(implementation):
        return lambda: calls.append(implementation.name)

    threads = torch.get_num_threads()
    rows = [Fake("a"), Fake("b")]
    measure(Case("x", build, 1), rows, threads=threads, rounds=3, seconds=60.0)
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]


@pytest.mark.parametrize(
    ("measured_s", "goes_on"),
    [
        ([], True),
        ([2.0], False),  # slower than its share: one round
        ([0.8], True),  # three rounds where one fits into the share
        ([0.8, 0.8], True),
        ([0.8, 0.8, 0.8], False),
        ([0.2, 0.2, 0.2], True),
        ([0.2, 0.2, 0.2, 0.2, 0.21], False),
        ([0.01] * 7, False),  # as many rounds as were asked for
    ],
)
def test_rounds_by_the_time_they_take(measured_s, goes_on):
    assert Timing(Fake("x"), measured_s).may_go_on(rounds=7, share_s=1.0) == goes_on


def test_near_ratios_get_their_rounds_however_slow():
    assert Timing(ReLU(), [9.0] * 4).may_go_on(rounds=7, share_s=1.0)
    assert not Timing(ReLU(), [9.0] * 5).may_go_on(rounds=7, share_s=1.0)
    assert not Timing(ReLU(), [9.0] * 4).may_go_on(rounds=4, share_s=1.0)


def test_a_failure_is_not_tried_again():
    assert not Timing(Fake("x"), failure="no").may_go_on(rounds=7, share_s=1.0)


@pytest.mark.parametrize("peer", [True, False])
def test_only_who_may_fail_does(peer):
    def build(implementation):
        raise RuntimeError(f"{implementation.name} has no such layer")

    case = Case("x", build, 1)

    def timings():
        rows = [Fake("other", peer)]
        return measure(case, rows, threads=torch.get_num_threads(), rounds=1, seconds=1.0)

    if peer:
        assert timings()[0].failure == "RuntimeError: other has no such layer"
    else:
        with pytest.raises(RuntimeError, match="other has no such layer"):
            timings()


@pytest.fixture
def two_cases() -> dict[str, list[Timing]]:
    """ReLU, ours, and a peer that fails at one size."""
    floor, us, them = Fake("ReLU"), Fake("picojoule"), Fake("peer", peer=True)
    return {
        "T=10": [
            Timing(floor, [0.010] * 5),
            Timing(us, [0.010, 0.011, 0.012, 0.013, 0.0144]),
            Timing(them, [0.5]),
        ],
        "T=20": [
            Timing(floor, [0.020] * 5),
            Timing(us, [0.030] * 5),
            Timing(them, failure="RuntimeError: no"),
        ],
    }


def test_median_spread_and_ratio(two_cases):
    _, us, them = two_cases["T=10"]
    assert us.median_s == 0.012
    assert us.spread == pytest.approx(0.0016 / 0.012)
    assert them.spread is None
    assert ratio(us, two_cases["T=10"], "median_s") == pytest.approx(1.2)
    us.implementation.over = "someone who is not there"
    assert ratio(us, two_cases["T=10"], "median_s") is None


def test_tables(two_cases):
    page = Console(file=io.StringIO(), width=100)
    cases = (Case("T=10", lambda _: print, 10), Case("T=20", lambda _: print, 20))
    print_times(page, work(*cases, growth=True), two_cases, threads=2)
    lines = [line.rstrip() for line in page.file.getvalue().splitlines()]
    assert "a fake work, 2 threads" in lines
    assert "│ ReLU      │ 10.0 ms   ±0%   1.00x │ 20.0 ms   ±0%   1.00x │" in lines
    assert "│ picojoule │ 12.0 ms  ±13%   1.20x │ 30.0 ms   ±0%   1.50x │" in lines
    assert "│ peer      │  500 ms         50.0x │                 fails │" in lines
    assert "peer, T=20: RuntimeError: no" in lines
    assert "│ picojoule │ 1,200 │ 1,500 │          1.25x │" in lines


def test_peers_run_large_cases_at_the_most_threads_only(tmp_path, monkeypatch):
    calls = []

    def build(implementation):
        return lambda: calls.append((implementation.name, torch.get_num_threads()))

    threads = torch.get_num_threads()
    plan = command.Plan(quick=False, threads=(1, 2), rounds=1, folder=tmp_path)
    page = Console(file=io.StringIO(), width=100)
    try:
        large = work(Case("x", build, 1, large=True))
        command.run_work(page, large, [Fake("us"), Fake("peer", peer=True)], plan, {})
    finally:
        torch.set_num_threads(threads)
    assert set(calls) == {("us", 1), ("us", 2), ("peer", 2)}
    times = json.loads((tmp_path / "fake.json").read_text())["times"]
    assert [(entry["implementation"], entry["threads"]) for entry in times] == [
        ("us", 1),
        ("us", 2),
        ("peer", 2),
    ]


def test_quick_takes_the_quick_cases(tmp_path):
    calls = []
    cases = [
        Case(label, lambda _, label=label: lambda: calls.append(label), 1, quick=quick)
        for label, quick in (("a", True), ("b", False))
    ]
    threads = (torch.get_num_threads(),)
    plan = command.Plan(quick=True, threads=threads, rounds=1, folder=None)
    command.run_work(Console(file=io.StringIO()), work(*cases), [Fake("us")], plan, {})
    assert set(calls) == {"a"}


def test_the_file(two_cases, tmp_path):
    path = write(tmp_path / "new", work(), {"commit": "abc"}, {2: two_cases}, {})
    result = json.loads(path.read_text())
    assert path.name == "fake.json"
    assert result["commit"] == "abc"
    assert result["times"][1] == {
        "threads": 2,
        "case": "T=10",
        "implementation": "picojoule",
        "median_ms": 12.0,
        "spread": 0.1333,
        "rounds": 5,
        "ratio": 1.2,
        "over": "ReLU",
    }
    assert result["times"][5]["failure"] == "RuntimeError: no"


def test_memory_is_that_of_the_step_and_not_of_its_parent():
    ballast = torch.ones(400_000_000, dtype=torch.uint8)
    registered = WORKS["layer"]
    case = registered.cases[0]
    tensor = 16 * 100 * 4096 * 4
    (measured,) = measure_memory(registered, case, [ReLU()])
    # the input, the gradient given, the output, and the input's gradient
    assert 3.9 * tensor < measured.step < 5 * tensor
    assert measured.step < len(ballast) < measured.peak + len(ballast)


def test_a_work_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        command.parse(["layers"])
    assert "no work named layers; there are layer, " in capsys.readouterr().err


def test_without_a_gpu_nothing_is_measured_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no CUDA device"):
        gpu_command.main()


def test_a_row_of_the_gpu_table_says_what_share_of_the_bandwidth_is_reached() -> None:
    entry = {"implementation": "picojoule", "shape": (1, 2, 3), "dtype": "float32"}
    times = {"forward_ms": 1.0, "both_ms": 2.0, "eager_both_ms": 3.0}
    shares = {"forward_gb_s": 1500.0, "both_gb_s": 1000.0}
    row = gpu_layer.line({**entry, **times, **shares}, 2e12)
    assert "1500 GB/s  75.0% |     2.000 ms    1000 GB/s  50.0% |    3.000 ms eager" in row
    assert gpu_layer.line({**entry, "failure": "ImportError: none"}, 2e12).endswith(
        "ImportError: none"
    )


def test_a_recurrent_call_on_a_gpu_is_the_reference_s_and_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu_recurrent, "SHAPE", (2, 3, 4))
    forward, both = gpu_recurrent.calls("reference", torch.float32, "cpu")
    assert not forward().requires_grad
    assert [grad.shape for grad in both()] == [(2, 3, 4), (4, 4), (4,)]


def test_a_row_of_the_recurrent_table_says_how_much_faster_it_is() -> None:
    reference = {
        "implementation": "reference",
        "dtype": "float32",
        "forward_ms": 3.0,
        "both_ms": 9.0,
    }
    fused = {**reference, "implementation": "triton", "forward_ms": 1.5, "both_ms": 2.0}
    row = gpu_recurrent.line(fused, reference)
    assert row.endswith("1.500 ms    2.0x |     2.000 ms    4.5x")


def test_a_row_of_the_training_table_is_over_the_floor_or_says_why_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu_training, "step_s", lambda *_: 0.003)
    floor = gpu_training.measured("ReLU", 2, 3, float("nan"))
    assert floor["over_relu"] == 1.0
    assert gpu_training.line(gpu_training.measured("sinabs", 2, 3, 1.5)).endswith("3.00 ms    2.00")
    monkeypatch.setattr(gpu_training, "step_s", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in gpu_training.line(gpu_training.measured("Norse", 2, 3, 1.5))
