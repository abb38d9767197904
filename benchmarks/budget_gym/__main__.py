"""The gym of budgets: fast tasks that differ in what breaks controllers, by Budget with its defaults.

    python -m benchmarks.budget_gym --jobs 2
    python -m benchmarks.budget_gym --tasks conv1d-10 mlp-sgd --seeds 1 --synapses prune

Nothing is tuned for a task. What is done stands in the result file and is not repeated; another `--result` starts anew.
The exit status is 1 if a task was not passed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.budget_gym.run import Row, Spec
from benchmarks.budget_gym.store import Store, run_all
from benchmarks.budget_gym.table import print_table, reasons
from benchmarks.budget_gym.tasks import TASKS
from benchmarks.budget_gym.training import LOOPS
from benchmarks.record import RESULTS, surroundings


def main(specs: list[Spec], jobs: int, result: Path) -> bool:
    """Make the runs that are missing; returns whether all passed."""
    console = Console()
    store = Store(result, surroundings())

    def tell(row: Row) -> None:
        told = ", ".join(reasons([row])) or "pass"
        name = f"{row['task']}, {row['synapses']}, {row['loop']}, seed {row['seed']}"
        console.print(f"{name}: {told} ({row.get('seconds', 0):.0f} s)", highlight=False)

    run_all(store, specs, jobs, tell)
    rows = [row for spec in specs if (row := store.get(spec)) is not None]
    print_table(console, rows)
    return not reasons(rows)


def arguments() -> argparse.Namespace:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--synapses", nargs="+", choices=("keep", "prune"), default=["keep", "prune"]
    )
    parser.add_argument("--loop", choices=LOOPS, default="backward")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--result", type=Path, default=RESULTS / "budget_gym.json")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    wanted = [
        Spec(task, seed, synapses, given.loop)
        for task in given.tasks
        for synapses in given.synapses
        for seed in given.seeds
    ]
    sys.exit(0 if main(wanted, given.jobs, given.result) else 1)
