"""What a budget costs: Budget with its defaults beside penalties whose weight was tuned by hand.

    python -m benchmarks.budget --jobs 2

The LeNet of `picojoule train` at 50, 25 and 10 % of the SynOps that it spends without a budget, in the layers that
training can change, three seeds each. Finished runs are kept in `runs/budget/runs.jsonl`: called again, it goes on where it
was. The table and `benchmarks/results/budget.json` hold what is done so far.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.budget_comparison.methods import BUDGET, FIXED
from benchmarks.budget_comparison.plan import Plan
from benchmarks.budget_comparison.runs import Settings
from benchmarks.budget_comparison.store import Row, Store, run_all
from benchmarks.budget_comparison.summary import print_summary, summary
from benchmarks.record import RESULTS, surroundings


def main(plan: Plan, settings: Settings, out: Path, result: Path, jobs: int) -> None:
    """Train what is missing, stage by stage, and write what is known after each."""
    console, about = Console(), surroundings()
    store = Store(out / "runs.jsonl", settings)

    def tell(row: Row) -> None:
        told = "" if row["share"] is None else f" at {row['share']:.0%}"
        weight = "" if row["weight"] is None else f", weight {row['weight']:.3g}"
        console.print(
            f"seed {row['seed']}  {row['method']}{told}{weight}: {row['accuracy']:.2%}, "
            f"{row['synops_per_timestep']:.4g} SynOps per step, {row['seconds']:.0f} s",
            highlight=False,
        )

    for stage in plan.stages():
        run_all(store, settings, stage(store), jobs, tell)
        write(result, about, plan, settings, store)
    print_summary(console, summary(store, plan))


def write(path: Path, about: dict[str, Any], plan: Plan, settings: Settings, store: Store) -> None:
    """The record: surroundings, settings, figures, and each run."""
    record = {
        **about,
        "settings": {
            **settings.to_dict(),
            "shares": plan.shares,
            "seeds": plan.seeds,
            "methods": plan.methods,
        },
        **summary(store, plan),
        "runs": list(store.rows.values()),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shares", type=float, nargs="+", default=list(Plan.shares))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(Plan.seeds))
    parser.add_argument("--methods", nargs="+", choices=(BUDGET, *FIXED), default=[BUDGET, *FIXED])
    parser.add_argument("--data", help="folder of IDX files in place of the bundled images")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--batch-size", type=int, default=Settings.batch_size)
    parser.add_argument("--learning-rate", type=float, default=Settings.learning_rate)
    parser.add_argument(
        "--hold",
        type=float,
        default=Settings.hold,
        help="share of the steps before the learning rate falls",
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/budget"), help="where finished runs are kept"
    )
    parser.add_argument(
        "--result", type=Path, default=RESULTS / "budget.json", help="JSON of the figures"
    )
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    main(
        Plan(tuple(given.shares), tuple(given.seeds), tuple(given.methods)),
        Settings(
            data=given.data,
            epochs=given.epochs,
            batch_size=given.batch_size,
            learning_rate=given.learning_rate,
            hold=given.hold,
        ),
        given.out,
        given.result,
        given.jobs,
    )
