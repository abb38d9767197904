"""Finished runs, one JSON line each: an interrupted comparison goes on where it was."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from benchmarks.budget_comparison.methods import Spec
from benchmarks.budget_comparison.runs import train
from picojoule.training import TrainConfig

Row = dict[str, Any]
_KEY = ("method", "seed", "limit", "weight")


class Store:
    """Runs by their key.

    Args:
        path: the JSON lines; made if it is not there.
        recipe: of all runs.

    Raises:
        ValueError: the file is of another recipe.
    """

    def __init__(self, path: Path, recipe: TrainConfig) -> None:
        self._path = path
        self.rows: dict[tuple[Any, ...], Row] = {}
        header = {"recipe": recipe.to_dict()}
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(header) + "\n")
        first, *lines = path.read_text().splitlines()
        if json.loads(first) != header:
            raise ValueError(
                f"{path}: its runs have another recipe, {first}, expected {json.dumps(header)}. "
                "Name another --out."
            )
        for line in lines:
            self._keep(json.loads(line))

    def get(self, spec: Spec) -> Row | None:
        """The run, if it is done."""
        return self.rows.get(spec.key)

    def add(self, row: Row) -> None:
        """Keep a finished run, in the file too."""
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self._keep(row)

    def _keep(self, row: Row) -> None:
        self.rows[tuple(row[name] for name in _KEY)] = row


def run_all(
    store: Store, recipe: TrainConfig, specs: Iterable[Spec], jobs: int, tell: Callable[[Row], None]
) -> None:
    """Train what is not done yet, in processes of one thread each."""
    missing = {spec.key: spec for spec in specs if store.get(spec) is None}
    work = [(recipe, spec) for spec in missing.values()]
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, torch.set_num_threads, (1,)) as pool:
        for row in pool.imap_unordered(_run, work):
            store.add(row)
            tell(row)


def _run(work: tuple[TrainConfig, Spec]) -> Row:
    recipe, spec = work
    return {**dict(zip(_KEY, spec.key, strict=True)), **train(recipe, spec)}
