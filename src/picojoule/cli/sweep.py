"""`picojoule sweep`: budgets in, the accuracy-energy frontier out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from picojoule.cli.failure import explained
from picojoule.cli.frontier_table import draw_frontier, print_frontier
from picojoule.cli.pictures import why_no_pictures
from picojoule.cli.progress import ProgressBar
from picojoule.cli.train_flags import FILES, stated_by, with_flags
from picojoule.printable import printable
from picojoule.training import Frontier, SweepConfig, SweepError
from picojoule.training import sweep as run_sweep
from picojoule.training.settings import resolved
from picojoule.training.sweeping import LIMITS, Unit
from picojoule.training.yaml_file import Settings, read_settings

_PICTURE = "frontier.png"
_SWEEP = "Sweep"


def _for_a_sweep(command: Callable[..., None]) -> Callable[..., None]:
    """Take away the flags that the sweep sets itself."""
    signature = command.__signature__  # type: ignore[attr-defined]
    kept = [
        parameter
        for name, parameter in signature.parameters.items()
        if name not in (*LIMITS, "per", "devices", "no_budget")
    ]
    command.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return command


def _option(text: str, panel: str = _SWEEP) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=text, rich_help_panel=panel)
    return option


@_for_a_sweep
@with_flags
def sweep(
    budgets: Annotated[
        str,
        _option(
            "What the networks may spend, such as 0.5,0.25,0.1: shares of the SynOps that the network without a "
            "budget spends in the layers that training can change; with another --unit, limits on the whole network."
        ),
    ],
    unit: Annotated[
        Unit, _option("What the budgets are in; joules are per sample and need --profile.")
    ] = "share",
    seeds: Annotated[int, _option("Networks for each budget: --seed and the seeds after it.")] = 1,
    jobs: Annotated[
        int,
        _option(
            "Runs at once, each in a process of its own; at most one for each seed, as budgets follow on each other."
        ),
    ] = 1,
    within: Annotated[
        float,
        _option(
            "Name the cheapest network at most so many points of accuracy (hundredths of another score) below the best."
        ),
    ] = 1.0,
    met_within: Annotated[
        float | None,
        _option(
            "Count a budget as met only if at most this share of it is left over, such as 0.05. [dim]Default: any.[/]"
        ),
    ] = None,
    storage: Annotated[
        str | None,
        _option(
            "Database that many machines share, such as postgresql://user:password@host/name: give the same command on "
            "each, with an --out that all of them see. [dim]Default: SQLite in --out.[/]"
        ),
    ] = None,
    study: Annotated[str, _option("Name of the Optuna study in the database.")] = "sweep",
    config: Annotated[
        Path | None, _option("YAML file of settings of training; flags override it.", FILES)
    ] = None,
    out: Annotated[
        Path,
        _option(
            "Folder for the sweep's files; the same command goes on with the sweep in it.", FILES
        ),
    ] = Path("runs/sweep"),
    **settings: Any,
) -> None:
    """Train a network to one budget after another, and show what accuracy costs.

    First without a budget, then from the loosest budget to the tightest, each
    from the weights of the one before. Prints the frontier, and writes
    frontier.json, frontier.png and every network to --out. After a stop or a
    kill the same command goes on; nothing is lost or done twice.
    """
    with explained("picojoule sweep", lambda: "stopped; the same command goes on"):
        if not within >= 0:
            raise ValueError(f"--within is {within}, expected a number of points >= 0.")
        unlimited = dict.fromkeys(LIMITS)
        from_file, places = Settings({}, {}) if config is None else read_settings(config)
        stated = stated_by(settings)
        if met_within is not None:
            stated["within"] = met_within
        places = {name: place for name, place in places.items() if name not in stated}
        asked = SweepConfig(
            budgets=_numbers(budgets),
            unit=unit,
            seeds=seeds,
            training=resolved(unlimited | from_file | stated, places),
        )
        try:
            no_pictures = why_no_pictures()
            with ProgressBar() as progress:
                if no_pictures is not None:
                    progress.note(no_pictures)
                frontier = run_sweep(asked, out, progress, jobs=jobs, storage=storage, study=study)
        except SweepError as error:
            if error.frontier.points:
                _show(error.frontier, out, within, no_pictures)
            typer.echo(f"picojoule sweep: {printable(str(error))}", err=True)
            raise typer.Exit(1) from None
        _show(frontier, out, within, no_pictures)


def _show(frontier: Frontier, out: Path, within: float, no_pictures: str | None) -> None:
    print_frontier(frontier, within)
    if no_pictures is None:
        draw_frontier(frontier, out / _PICTURE)
    drawn = ", the picture" if no_pictures is None else ""
    typer.echo(f"Figures{drawn} and all weights are in {out}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise ValueError(f"--budgets is {text!r}, expected numbers such as 0.5,0.25,0.1.") from None
