"""README's figures and picture, from the result files of this tree.

    python tools/readme_figures.py

writes each part between its marks (`<!-- limits -->` and so on), and docs/pictures/accuracy_against_synops.png, which holds a hash of what it
was drawn from. A test asks whether both are as the result files have them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "pictures" / "accuracy_against_synops.png"
DRAWN_FROM = ("tight_limits.json", "budget_same_recipe.json")

LIMITS = (0, 16_000, 8_000, 4_650, 4_000, 2_000)
OURS = ("picojoule auto", "picojoule cpu")  # of a layer the same kernel, measured twice
PEERS = ("sinabs", "SpikingJelly", "snnTorch", "Norse")
# what the row says, of which file, at which size, on how many threads
SPEED = (
    ("IAF layer, 52 MB", "layer", "B=32 T=50 N=8192", 1),
    ("IAF layer, 26 MB", "layer", "B=16 T=100 N=4096", 1),
    ("LeNet, training step, B=16 T=50", "lenet", "B=16 T=50", 1),
    ("LeNet, training step, B=64 T=100", "lenet", "B=64 T=100", 2),
)
ACTIVITIES = ("0.5%", "2.0%", "10.0%", "20.0%", "40.0%")


def result(name: str) -> Any:
    return json.loads((RESULTS / name).read_text())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def runs_of(limit: int) -> list[dict[str, Any]]:
    return [run for run in result("tight_limits.json")["runs"].values() if run["limit"] == limit]


def limits() -> str:
    rows = []
    for limit in LIMITS:
        runs = runs_of(limit)
        spent = ", ".join(f"{run['synops_per_timestep']:,.0f}" for run in runs)
        accuracy = fmean(run["accuracy"] for run in runs)
        rows.append((f"{limit:,}" if limit else "none", spent, f"{accuracy:.2%}"))
    return _table(["limit, SynOps a time step", "spent, each of three seeds", "accuracy"], rows)


def speed() -> str:
    rows = []
    for label, name, case, threads in SPEED:
        found = {
            time["implementation"]: time["ratio"]
            for time in result(f"{name}.json")["times"]
            if time["case"] == case and time["threads"] == threads
        }
        plural = "s" if threads > 1 else ""
        ours = max(found[who] for who in OURS if who in found)
        ratios = (ours, *(found[who] for who in PEERS))
        rows.append([f"{label}, {threads} thread{plural}", *(f"{ratio:.2f}" for ratio in ratios)])
    return _table(["over `nn.ReLU`", "Picojoule", *PEERS], rows)


def events() -> str:
    times = result("events.json")["times"]
    rows = []
    for activity in ACTIVITIES:
        dense, sparse = (
            next(
                time["median_ms"]
                for time in times
                if time["case"] == f"B=16 {activity}"
                and time["threads"] == 1
                and time["implementation"] == who
            )
            for who in ("PyTorch, inference_mode", "Picojoule, events")
        )
        rows.append((activity, f"{dense:.1f} ms", f"{sparse:.2f} ms", f"{dense / sparse:.1f}"))
    return _table(["neurons that spike", "PyTorch", "event by event", "times as fast"], rows)


def trained() -> str:
    found = result("events_trained.json")
    many, one = (row["ratio"] for row in found["rows"] if row["threads"] == 1)
    free, bound = found["accuracy"].values()
    link = "[events_trained.json](benchmarks/results/events_trained.json)"
    return (
        f"A LeNet trained to a tenth of its SynOps in layers 4, 7 and 10 ({bound:.2%}) runs {many:.1f} times as fast "
        f"event by event as the free one ({free:.2%}) in PyTorch, {one:.1f} times one image at a time, both with one "
        f"thread ({link})."
    )


PARTS = {"limits": limits, "speed": speed, "events": events, "trained": trained}


def written(text: str) -> str:
    """README with its figures as the result files have them."""
    for name, part in PARTS.items():
        text, found = re.subn(
            f"(<!-- {name} -->\n)(?:.*?\n)?(<!-- /{name} -->)",
            lambda marks, part=part: f"{marks[1]}{part()}\n{marks[2]}",
            text,
            flags=re.S,
        )
        if found != 1:
            raise SystemExit(f"README.md: {found} places marked {name}, expected one")
    return text


def source_hash() -> str:
    """Of what the picture is drawn from."""
    content = b"".join((RESULTS / name).read_bytes() for name in DRAWN_FROM)
    return hashlib.sha256(content).hexdigest()


def draw(path: Path) -> None:
    """Accuracy over SynOps: the Budget at its limits, penalties whose weight was tuned by hand beside it."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from picojoule.plots import FrontierMark, plot_frontier

    marks = []
    for limit in LIMITS:
        if limit == 4_650:  # its mark would lie on that of 4,000
            continue
        runs = runs_of(limit)
        networks = [(run["synops_per_timestep"], run["accuracy"]) for run in runs]
        spent, accuracy = (fmean(values) for values in zip(*networks, strict=True))
        name = f"{limit:,}" if limit else "no limit"
        marks.append(FrontierMark(name, spent, accuracy, True, limit or None, networks))
    compared = result("budget_same_recipe.json")
    tuned = {(entry["method"], entry["limit"]): entry["weight"] for entry in compared["entries"]}
    for run in compared["runs"]:
        if run["weight"] is not None and tuned[run["method"], run["limit"]] == run["weight"]:
            spent, accuracy = run["synops_per_timestep"], run["accuracy"]
            method = f"{run['method']}, weight tuned for {run['limit']:,.0f}"
            marks.append(FrontierMark("", spent, accuracy, False, method=method))
    plot_frontier(
        marks,
        path,
        unit="SynOps per time step, layers 4, 7 and 10",
        label="Budget, by its defaults",
    )
    picture = Image.open(path)
    note = PngInfo()
    note.add_text("Source", source_hash())
    picture.save(path, pnginfo=note, optimize=True)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
    draw(PICTURE)
