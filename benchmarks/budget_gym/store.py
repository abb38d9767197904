"""Finished runs, in one JSON file with where they were made: called again, the gym goes on where it was."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from benchmarks.budget_gym.run import Row, Spec, run
from benchmarks.budget_gym.tasks import TASKS


class Store:
    """Runs by their spec.

    Args:
        path: of the file; made with the first run.
        about: surroundings of the runs to come; each run keeps its own commit.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._path, self._about = path, about
        self._rows: dict[Spec, Row] = {}
        if path.exists():
            for row in json.loads(path.read_text())["runs"]:
                self._rows[_spec(row)] = row

    def get(self, spec: Spec) -> Row | None:
        """The run, if it is done, and of the task as it is now."""
        row = self._rows.get(spec)
        settings = json.loads(json.dumps(TASKS[spec.task].settings()))
        return None if row is None or row["settings"] != settings else row

    def add(self, rows: Iterable[Row]) -> None:
        """Keep finished runs, in the file too."""
        for row in rows:
            self._rows[_spec(row)] = {**row, "commit": self._about["commit"]}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        record = {**self._about, "runs": list(self._rows.values())}
        unfinished = self._path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(record, indent=1) + "\n")
        unfinished.replace(self._path)


def _spec(row: Row) -> Spec:
    return Spec(row["task"], row["seed"], row["synapses"], row["loop"])


def run_all(store: Store, specs: Iterable[Spec], jobs: int, tell: Callable[[Row], None]) -> None:
    """Make the runs that are not done, in processes of one thread each.

    Those that are compared with the same free network are one after the other in the same process.
    """
    together: dict[Any, list[Spec]] = {}
    for spec in specs:
        if (row := store.get(spec)) is None or "failure" in row:
            together.setdefault((TASKS[spec.task].recipe, spec.seed), []).append(spec)
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, torch.set_num_threads, (1,)) as pool:
        for rows in pool.imap_unordered(_run_each, together.values()):
            store.add(rows)
            for row in rows:
                tell(row)


def _run_each(specs: list[Spec]) -> list[Row]:
    return [run(spec) for spec in specs]
