"""`picojoule simulate` as a user types it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from safetensors.torch import save_file
from torch import Tensor, nn
from typer.testing import CliRunner

import picojoule
from picojoule.cli.app import app
from picojoule.cli.peaks import parsed_limit, peaks_of, per_second
from picojoule.events import SynOpsPeaks
from picojoule.layers import FlattenTime, IAFSqueeze, SumPool2d, UnflattenTime
from tests.training.commands import NETWORKS as TRAINED

DT_US, SIZE = 1000, (2, 4, 4)
NETWORKS = '''
import torch
from torch import nn

from picojoule.layers import IAF, LIF, FlattenTime, IAFSqueeze, SumPool2d, UnflattenTime


def whole(model):
    """Weights that are multiples of 2^-8: sums are exact in any order."""
    made = torch.Generator().manual_seed(0)
    for weight in (each for each in model.parameters() if each.ndim > 1):
        values = torch.rand(weight.shape, generator=made) * 1.5 - 0.25
        weight.data = (values * 256).round() / 256
    return model


def conv():
    return whole(
        nn.Sequential(
            FlattenTime(),
            nn.Conv2d(2, 3, 3, padding=1, bias=False),
            IAFSqueeze(batch_size=1),
            SumPool2d(2),
            nn.Flatten(),
            nn.Linear(12, 5, bias=False),
            IAFSqueeze(batch_size=1),
            UnflattenTime(1),
        )
    )


def folded():
    return whole(nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), IAFSqueeze(batch_size=1)))


def ones():
    """Each of 3 channels reaches 4 neurons, each spike of theirs 2 more."""
    model = nn.Sequential(nn.Linear(3, 4, bias=False), IAF(), nn.Linear(4, 2, bias=False))
    model[0].weight.data.fill_(1.0)
    return model


def dense():
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), LIF(10.0))


def odd():
    return nn.Sequential(nn.LayerNorm(3), IAF())
'''


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("networks.py").write_text(NETWORKS)
    np.save("tap.npy", recording(600))
    np.save("pulses.npy", pulses([(0, 0), (0, 1), (1500, 2), (6200, 0)]))


def recording(events: int, steps: int = 50, start_us: int = 7_000) -> np.ndarray[Any, Any]:
    """Events of a camera, the first at the beginning of a step and the last at the end of another."""
    made = np.random.default_rng(0)
    t = np.sort(made.integers(0, steps * DT_US, events))
    t[0], t[-1] = 0, steps * DT_US - 1
    found = np.zeros(events, [("ts", "i8"), ("x", "u2"), ("y", "u2"), ("pol", "?")])
    found["ts"] = t + start_us
    for name, side in zip(("pol", "y", "x"), SIZE, strict=True):
        found[name] = made.integers(0, side, events)
    return found


def pulses(given: list[tuple[int, int]]) -> np.ndarray[Any, Any]:
    """Events of channels, by their times."""
    found = np.zeros(len(given), [("t", "i8"), ("x", "u2"), ("y", "u2"), ("p", "u1")])
    found["t"], found["x"] = zip(*given, strict=True)
    return found


def raster(events: np.ndarray[Any, Any], steps: int = 50) -> Tensor:
    frames = torch.zeros(1, steps, *SIZE)
    for t, x, y, p in events.tolist():
        frames[0, (t - 7_000) // DT_US, int(p), y, x] += 1
    return frames


def run(*arguments: object) -> Result:
    sys.modules.pop("networks", None)
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(app, ["simulate", *map(str, arguments)])


def values(*arguments: object, status: int = 0) -> dict[str, Any]:
    done = run(*arguments, "--format", "json")
    assert done.exit_code == status, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    return done.stderr


CAMERA = ("./networks.py:conv", "tap.npy", "--dt-us", DT_US, "--size", "2,4,4")
PULSES = ("./networks.py:ones", "pulses.npy", "--dt-us", DT_US, "--size", 3)


def test_by_time_steps_it_counts_what_the_monitor_counts() -> None:
    found = values(*CAMERA)
    made = nn.Sequential(
        FlattenTime(), nn.Conv2d(2, 3, 3, padding=1, bias=False), IAFSqueeze(batch_size=1), SumPool2d(2), nn.Flatten(),
        nn.Linear(12, 5, bias=False), IAFSqueeze(batch_size=1), UnflattenTime(1),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    for weight in (each for each in made.parameters() if each.ndim > 1):
        drawn = torch.rand(weight.shape, generator=generator) * 1.5 - 0.25
        weight.data = (drawn * 256).round() / 256
    with torch.no_grad(), picojoule.Monitor(made) as monitor:
        out = made(raster(recording(600)))
    report = json.loads(monitor.report().to_json())
    assert found["totals"] == pytest.approx(report["totals"])
    for own, counted in zip(found["layers"], report["layers"], strict=True):
        assert own["synops_per_sample"] == counted["synops_per_sample"]
        assert own["firing_rate"] == pytest.approx(counted["firing_rate"])
    assert found["simulation"]["events_in_per_sample"] == 600
    assert found["simulation"]["events_out_per_sample"] == out.sum().item() > 0


@pytest.mark.parametrize("order", ["step", "breadth", "depth"])
@pytest.mark.parametrize("file", ["tap.npy", "tap.pt"])
def test_a_recording_and_its_raster_are_the_same(order: str, file: str) -> None:
    frames = raster(recording(600))
    np.save("raster.npy", frames.numpy())
    torch.save(frames.to(torch.uint8), "raster.pt")
    saved = "raster" + Path(file).suffix
    by_events, by_raster = (
        values(*CAMERA, "--order", order),
        values("./networks.py:conv", saved, "--dt-us", DT_US, "--order", order),
    )
    for found in (by_events, by_raster):
        del found["simulation"]["events"]
    assert by_events == by_raster


@pytest.mark.parametrize("order", ["step", "breadth"])
def test_a_model_of_folded_layers(order: str) -> None:
    torch.save(raster(recording(600))[0], "folded.pt")
    by_raster = values("./networks.py:folded", "folded.pt", "--order", order)
    by_events = values("./networks.py:folded", *CAMERA[1:], "--order", order)
    assert by_raster["layers"] == by_events["layers"]
    assert by_raster["synops_per_second"] is None
    assert by_events["num_timesteps"] == 50


# steps of 1 ms with 2, 1, 0, 0, 0, 0 and 1 events, of 4 SynOps each
@pytest.mark.parametrize(
    ("window_ms", "peak", "at_s"), [(1, 8000, 0.001), (2, 6000, 0.002), (4, 3000, 0.002)]
)
def test_peaks_by_hand(window_ms: int, peak: float, at_s: float) -> None:
    found = values(*PULSES, "--window-ms", window_ms)["synops_per_second"]
    assert found["layers"]["0"]["peak"] == pytest.approx(peak)
    assert found["layers"]["0"]["at_s"] == pytest.approx(at_s)
    assert found["layers"]["0"]["mean"] == pytest.approx(16 / 0.007)
    assert found["window_s"] == pytest.approx(window_ms / 1000)


def test_peaks_of_several_samples_are_those_of_the_engine() -> None:
    counts = {"a": torch.rand(3, 40).double(), "b": torch.rand(3, 40).double()}
    found = peaks_of(counts, 5, 2000, parsed_limit("a=1,b=1e9", "layer"), "layer")
    for by, own in (("layer", found.layers), ("network", {"network": found.network})):
        engine = SynOpsPeaks(dt_s=0.002, window_s=0.01, by=by)  # type: ignore[arg-type]
        engine.add(counts)
        assert {name: each.synops_per_second for name, each in own.items()} == pytest.approx(
            engine.per_second()
        )
    for name, counted in counts.items():
        peak, rates = found.layers[name], per_second(counted, 5, 0.002)
        assert rates[peak.sample, round(peak.at_s / 0.002) - 1] == rates.max()
    assert len(found.over) == 1
    assert found.over[0].startswith("layer 'a' takes")


@pytest.mark.parametrize(
    ("limit", "status", "told"),
    [
        (["16000"], 0, None),
        (
            ["0=7999"],
            4,
            "Over the limit: layer '0' takes 8,000 SynOps per second in the 1 ms before 0.001 s, 1 times",
        ),
        (["0=100"], 4, "layer '0' takes"),
        (["2=100000"], 0, None),
        (["10000", "--per", "model"], 4, "the network takes"),
        (["1e6", "--per", "model"], 0, None),
    ],
)
def test_a_limit_that_is_exceeded_leaves_with_4_and_all_is_shown(
    limit: list[str], status: int, told: str | None
) -> None:
    done = run(*PULSES, "--limit-synops-per-second", *limit)
    assert done.exit_code == status, done.output
    assert "Most SynOps per second in any window of 1 ms" in done.stdout
    assert ("Over the limit" in done.stderr) == (told is not None)
    assert told is None or told in done.stderr
    assert values(*PULSES, "--limit-synops-per-second", *limit, status=status)["synops_per_second"][
        "limit_is_kept"
    ] == (status == 0)


@pytest.mark.parametrize(
    ("ending", "begin"),
    [(".txt", "Sequential: operations"), (".md", "**Sequential"), (".tex", "% needs"), (".html", "<!DOCTYPE"), (".json", "{")],
)  # fmt: skip
def test_formats_by_ending(ending: str, begin: str) -> None:
    done = run(*PULSES, "--profile", "loihi", "--output", f"report{ending}")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    written = Path(f"report{ending}").read_text()
    assert written.startswith(begin)
    assert "loihi" in written
    assert ending != ".html" or "Events in and out and SynOps over time" in written


def test_limits_of_a_chip_are_in_words_and_what_they_lose_is_told() -> None:
    done = run(
        *CAMERA,
        "--order",
        "depth",
        "--leak",
        "tick",
        "--tick-steps",
        3,
        "--weight-bits",
        8,
        "--queue-length",
        1,
    )
    assert done.exit_code == 0, done.output
    words = "Events, depth first, leak by tick every 3 steps, weights of 8 bits, queues of 1"
    assert words in done.stdout
    assert "lost in front of a full queue, of " in done.stdout
    assert "a longer --queue-length loses fewer" in done.stderr


def test_one_of_so_many_events_passes() -> None:
    all_of_them = values(*PULSES, "--order", "breadth")["totals"]["synops_per_sample"]
    some = values(*PULSES, "--order", "breadth", "--decimate", "1=4")["totals"]["synops_per_sample"]
    assert all_of_them == 16 + 2 * 16
    assert some == 16 + 2 * 4


def test_the_picture_has_the_limit() -> None:
    pytest.importorskip("matplotlib")
    done = run(*PULSES, "--limit-synops-per-second", 18000, "--picture", "pulses.png")
    assert done.exit_code == 0, done.output
    assert "Drawn to pulses.png." in done.stderr
    assert Path("pulses.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_all_else_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run(*PULSES, "--picture", "pulses.png")
    assert done.exit_code == 0, done.output
    assert "there will be no pictures" in done.stderr
    assert "Sequential: operations" in done.stdout
    assert not Path("pulses.png").exists()


def test_notes_say_what_was_done_to_a_recording() -> None:
    np.save("pulses.npy", pulses([(900, 0), (500, 1), (2600, 2)]))
    done = run(*PULSES)
    assert done.exit_code == 0, done.output
    assert "Note: times fall at 1 of the events; they were sorted by time." in done.stderr
    assert "Note: time 0 is that of the first event, at 500 us in the file." in done.stderr
    assert "mean over 1 sample of 3 time steps" in done.stdout
    assert (
        "Note: the network ends in layer '2', which gives out values in every step and no events."
        in done.stderr
    )


def test_a_matrix_with_named_columns() -> None:
    named = np.load("pulses.npy")
    np.save("matrix.npy", np.stack([named[name] for name in "xytp"], 1))
    assert "--columns t,x,y,p" in refused("./networks.py:ones", "matrix.npy", *PULSES[2:])
    found = values("./networks.py:ones", "matrix.npy", *PULSES[2:], "--columns", "x,y,t,p")
    assert found["layers"] == values(*PULSES)["layers"]


def trained_in(out: Path, *options: object) -> Path:
    """The folder of a run."""
    settings = ["--model", f"{TRAINED}:model", "--data", f"{TRAINED}:data", "--epochs", 1, "--batch-size", 8, *options]  # fmt: skip
    done = CliRunner().invoke(
        app, ["train", *map(str, settings), "--out", str(out), "--no-compare"]
    )
    assert done.exit_code in (0, 3, 4), done.output
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_in(tmp_path_factory.mktemp("runs") / "tiny", "--no-budget")


def test_a_run_has_its_shape_and_its_test_data(folder: Path) -> None:
    np.save("pulses.npy", pulses([(t, t % 6) for t in range(0, 9000, 50)]))
    run_of = (folder, "pulses.npy", "--dt-us", DT_US)
    assert values(*run_of)["gap"] is None
    gap = values(*run_of, "--samples", 5, "--order", "breadth", "--weight-bits", 8)["gap"]
    assert gap["samples"] == 5
    assert [row["cause"] for row in gap["rows"]] == [
        "nothing: PyTorch's steps",
        "breadth first",
        "weights of 8 bits",
    ]
    loaded = picojoule.load(folder)
    test = sys.modules["networks"].data()[1]
    frames = torch.stack([test[k][0] for k in (0, 3, 6, 9, 12)])
    right = (loaded.answers(frames).argmax(1) == torch.tensor([0, 0, 0, 0, 0])).double().mean()
    assert gap["rows"][0]["accuracy"] == pytest.approx(right.item())


def test_the_gap_has_the_bits_that_were_asked_for(folder: Path) -> None:
    np.save("pulses.npy", pulses([(t, t % 6) for t in range(0, 9000, 50)]))
    done = values(
        folder, "pulses.npy", "--dt-us", DT_US, "--samples", 3, "--weight-bits", 6, "--state-bits", 14, "--order", "step",
    )  # fmt: skip
    causes = [row["cause"] for row in done["gap"]["rows"]]
    assert "weights of 6 bits" in causes
    assert "potentials of 14 bits" in causes


def test_the_gap_by_default_is_that_to_a_chip(folder: Path) -> None:
    done = run(folder, "pulses.npy", "--dt-us", DT_US, "--data", f"{TRAINED}:data")
    assert done.exit_code == 0, done.output
    assert "From PyTorch to a chip, 13 samples" in done.stdout
    assert "potentials of 16 bits" in done.stdout
    assert "Note: the gap is that to a chip that runs depth first" in done.stderr


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose budget may take connections away, half of which are gone."""
    out = trained_in(tmp_path_factory.mktemp("runs") / "pruned", "--synops-per-timestep", 1000)
    with torch.no_grad():
        state = picojoule.load(out).model.state_dict()
        next(x for name, x in state.items() if "weight" in name)[:, ::2] = 0.0
    save_file(state, out / "trained.safetensors")
    return out


def test_the_synops_of_a_run_are_counted_as_its_own_report_has_them(pruned: Path) -> None:
    np.save("pulses.npy", pulses([(t, t % 6) for t in range(0, 9000, 50)]))
    run_of = (pruned, "pulses.npy", "--dt-us", DT_US)
    own, every, others = (
        values(*run_of, *weights)["layers"]
        for weights in ([], ["--weights", "all"], ["--weights", "nonzero"])
    )
    assert own == others != every


def test_time_steps_in_whole_numbers_are_those_of_the_discretised_model() -> None:
    bits = ("--weight-bits", 8, "--state-bits", 16)
    found, plain = values(*PULSES, *bits), values(*PULSES)
    assert plain["layers"] == found["layers"]
    assert "by time steps, weights of 8 bits, potentials of 16 bits" in run(*PULSES, *bits).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./networks.py:ones", "none.npy", "--dt-us", "1000"], "none.npy: No such file"),
        (["./networks.py:ones", ".", "--dt-us", "1000"], "a folder; name one recording or raster in it"),
        (["./networks.py:ones", "pulses.npy"], "--dt-us is missing: the length of a time step"),
        (["./networks.py:ones", "pulses.npy", "--dt-us", "1000"], "--size is missing: the shape of the model's"),
        (["./networks.py:ones", "pulses.npy", "--dt-us", "1000", "--size", "three"], "--size is 'three', expected"),
        (["./networks.py:ones", "pulses.npy", "--dt-us", "1000", "--size", "3,4"], "events have a place in p,h,w or in n"),
        (["./networks.py:ones", "pulses.npy", "--dt-us", "1000", "--size", "5"], "does not take an input of shape 1,2,5"),
        (["./networks.py:ones", "pulses.npy", "--dt-us", "1000", "--size", "2"], "x of event 2 is 2, but the model takes (n) = 2"),
        (["./networks.py:conv", "tap.npy", "--dt-us", "1000", "--size", "1,4,4"], "but the model takes (p, h, w) = 1, 4, 4"),
        (["./networks.py:odd", "pulses.npy", "--dt-us", "1000", "--size", "3"], "'0' (LayerNorm)"),
        ([*PULSES, "--leak", "tick"], "--leak is of chips without time steps, and --order is step"),
        ([*PULSES, "--queue-length", "4"], "Add --order depth"),
        ([*PULSES, "--weight-bits", "8"], "such as --weight-bits 8 --state-bits 16"),
        ([*PULSES, "--weight-bits", "12", "--state-bits", "16"], "--weight-bits are 8 at most"),
        ([*PULSES, "--order", "depth", "--tick-steps", "4"], "Add --leak tick"),
        ([*PULSES, "--order", "depth", "--state-bits", "16"], "Add --weight-bits, such as --weight-bits 8"),
        ([*PULSES, "--order", "depth", "--decimate", "0.5"], "--decimate is 0.5, expected whole numbers >= 1"),
        ([*PULSES, "--order", "depth", "--decimate", "conv=2"], "decimate names a layer 'conv'"),
        ([*PULSES, "--window-ms", "nan"], "--window-ms is nan, expected milliseconds > 0"),
        (["./networks.py:ones", "pulses.npy", "--dt-us", "1000", "--size", "2,10000000,16"], "320,000,000 values a time step"),
        ([*PULSES, "--window-ms", "1.4"], "is 1.4 steps of 1 ms, expected whole ones. The nearest is --window-ms 1."),
        ([*PULSES, "--limit-synops-per-second", "many"], "'many' is neither a number nor layers"),
        ([*PULSES, "--limit-synops-per-second", "-1"], "is -1, expected numbers > 0"),
        ([*PULSES, "--limit-synops-per-second", "9=1e6"], "names a layer '9', which spends no SynOps here. There are 0, 2."),
        ([*PULSES, "--limit-synops-per-second", "0=1e6", "--per", "model"], "Leave --per out, or give one number"),
        (["./networks.py:ones", "ones.pt", "--limit-synops-per-second", "10"], "nothing says how long a step lasts. Give --dt-us"),
        (["./networks.py:ones", "ones.pt", "--time-unit", "ms"], "--time-unit ms is of the times of events, and EVENTS is a raster"),
        (["./networks.py:ones", "ones.pt", "--size", "4"], "--size is 4, and EVENTS is a raster of shape 1,5,3, which ends in other"),
        ([*PULSES, "--samples", "5"], "nothing says which. Give --data"),
        ([*PULSES, "--profile", "lohi"], "Nearest: loihi"),
        ([*PULSES, "--picture", "pulses.pdf"], "expected a name that ends in .png"),
        ([*PULSES, "--picture", "no/pulses.png"], "there is no folder no"),
        ([*PULSES, "--output", "report.pdf"], "names no format; give --format"),
        (["nowhere:build", "ones.pt"], "There is no module 'nowhere' on Python's path"),
        (["lenet", "sample.pt"], "shape 50,1,28,28, expected batch,time,1,28,28. If it is one sample, save it as raster[None]."),
        ([*PULSES, "--seed", str(2**63)], f"--seed is {2**63}, expected a whole number from 0 to 2^63 - 1"),
        ([*PULSES, "--seed", "-1"], "--seed is -1, expected a whole number from 0"),
        (["runs", "ones.pt"], "runs holds no run: there is no config.yaml"),
        (["./networks.py:ones", "pulses.npy", "--dt-us", "1000", "--size", "3", "--checkpoint", "no.pt"], "No such file"),
        (["./networks.py:ones", "long.npy", "--dt-us", "1", "--size", "3"], "Give longer steps"),
        (["./networks.py:ones", "empty.npy", "--dt-us", "1", "--size", "3"], "holds no events"),
        (["./networks.py:ones", "early.npy", "--dt-us", "1", "--size", "3"], "first event is at -5 us, and times begin at 0. Add 5 us"),
        (["./networks.py:ones", "real.npy", "--dt-us", "1", "--size", "3"], "Pass --time-unit, one of"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(arguments: list[str], message: str) -> None:
    Path("runs").mkdir()
    torch.save(torch.ones(1, 5, 3), "ones.pt")
    torch.save(torch.ones(50, 1, 28, 28), "sample.pt")
    np.save("long.npy", pulses([(0, 0), (10**9, 1)]))
    np.save("empty.npy", pulses([(0, 0)])[:0])
    np.save("early.npy", pulses([(-5, 0), (3, 1)]))
    np.save(
        "real.npy",
        np.array([(0.5, 0, 0, 0)], dtype=[("t", "f8"), ("x", "i2"), ("y", "i2"), ("p", "i1")]),
    )
    told = refused(*arguments)
    assert message in told
    assert told.startswith("picojoule simulate: ")


def test_help_names_the_statuses() -> None:
    done = CliRunner().invoke(app, ["simulate", "--help"], env={"COLUMNS": "200"})
    assert "4, --limit-synops-per-second is exceeded" in done.output


def test_the_order_of_the_events_of_a_step_is_chosen() -> None:
    by_place = values(*CAMERA, "--order", "depth", "--arrival", "index")
    at_random = values(*CAMERA, "--order", "depth")
    assert at_random == values(*CAMERA, "--order", "depth", "--arrival", "random")
    assert at_random["layers"] != by_place["layers"]
    for seed in (3, 2**63 - 1):
        assert values(*CAMERA, "--order", "depth", "--seed", seed)["layers"] != at_random["layers"]


def test_a_first_compilation_is_told_above_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    from picojoule.events import slow_start
    from picojoule.events.kernels import compiled

    monkeypatch.setattr(slow_start, "_said", set())
    monkeypatch.setattr(compiled, "_known", {})
    kept, compile_ = compiled.kept, compiled._compile
    monkeypatch.setattr(compiled, "kept", lambda name: None)  # as on a machine that has no kernels
    monkeypatch.setattr(compiled, "keep", lambda name, content: None)
    monkeypatch.setattr(
        compiled,
        "_compile",
        lambda name, plan: kept(f"{compiled._key(name, plan)}.o") or compile_(name, plan),
    )
    told = run(*PULSES, "--order", "depth")
    assert told.exit_code == 0
    assert "note: compiling the kernels of order='depth' for this machine" in told.stderr
    assert "tens of seconds, once" in told.stderr


def test_several_profiles_stand_side_by_side() -> None:
    both = run(*PULSES, "--profile", "loihi", "--profile", "odin")
    assert both.exit_code == 0, both.output
    assert "Energy per sample on loihi and odin, modelled" in both.stdout
    found = json.loads(
        run(*PULSES, "--profile", "loihi", "--profile", "odin", "--format", "json").stdout
    )
    assert [each["profile"] for each in found["energy_j"]] == ["loihi", "odin"]


@pytest.mark.parametrize("window", [1, 3, 5, 10**12])
def test_a_window_may_be_longer_than_the_recording(window: int) -> None:
    synops = torch.tensor([[1.0, 0.0, 4.0, 2.0, 0.0]])
    found = per_second(synops, window, dt_s=0.001)
    expected = [
        synops[0, max(t + 1 - window, 0) : t + 1].sum() / (window * 0.001) for t in range(5)
    ]
    torch.testing.assert_close(found[0], torch.stack(expected).double())
