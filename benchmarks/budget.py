"""What a budget costs: Budget with its defaults beside penalties whose weight was tuned by hand.

    python -m benchmarks.budget --jobs 2 [--limits 8000 2000] [--seeds 1 2 3] [--data FOLDER --epochs 2]

The LeNet of `picojoule train`, by its recipe, at limits on the SynOps per time step of layers 4, 7 and 10 together. All
methods have the same optimizer, readout and order of samples; a fixed penalty gets the masks that Budget ended with, too, and a
weight that was swept on the first seed, at each limit. Finished runs are kept in `runs/budget_same_recipe/runs.jsonl`: called
again, it goes on where it was. The table and `benchmarks/results/budget_same_recipe.json` hold what is done so far.
(`benchmarks/results/budget.json` is of an earlier recipe: Adam, the count of spikes, no masks.)
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.budget_comparison.methods import FIXED
from benchmarks.budget_comparison.plan import Plan
from benchmarks.budget_comparison.store import Row, Store, run_all
from benchmarks.budget_comparison.summary import print_summary, summary
from benchmarks.record import RESULTS, surroundings
from picojoule.training import TrainConfig


def main(plan: Plan, recipe: TrainConfig, out: Path, result: Path, jobs: int) -> None:
    """Train what is missing, stage by stage, and write what is known after each."""
    console, about = Console(), surroundings()
    store = Store(out / "runs.jsonl", recipe)

    def tell(row: Row) -> None:
        told = "" if row["limit"] is None else f" at {row['limit']:,.0f}"
        weight = "" if row["weight"] is None else f", weight {row['weight']:.3g}"
        console.print(
            f"seed {row['seed']}  {row['method']}{told}{weight}: {row['accuracy']:.2%}, "
            f"{row['synops_per_timestep']:,.0f} SynOps per step, {row['seconds']:.0f} s",
            highlight=False,
        )

    for stage in plan.stages():
        run_all(store, recipe, stage(store), jobs, tell)
        write(result, about, plan, recipe, store)
    print_summary(console, summary(store, plan))


def write(path: Path, about: dict[str, Any], plan: Plan, recipe: TrainConfig, store: Store) -> None:
    """The record: surroundings, recipe, figures, and each run."""
    rows = list(store.rows.values())
    record = {
        **about,
        "recipe": recipe.to_dict(),
        "limits": plan.limits,
        "seeds": plan.seeds,
        "methods": plan.methods,
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        **summary(store, plan),
        "runs": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limits", type=float, nargs="+", default=list(Plan.limits))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(Plan.seeds))
    parser.add_argument(
        "--methods", nargs="+", choices=FIXED, default=list(FIXED), help="beside Budget"
    )
    parser.add_argument("--data", help="folder of IDX files in place of the bundled images")
    parser.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/budget_same_recipe"),
        help="where finished runs are kept",
    )
    parser.add_argument(
        "--result",
        type=Path,
        default=RESULTS / "budget_same_recipe.json",
        help="JSON of the figures",
    )
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    main(
        Plan(tuple(given.limits), tuple(given.seeds), tuple(given.methods)),
        TrainConfig(data=given.data, epochs=given.epochs),
        given.out,
        given.result,
        given.jobs,
    )
