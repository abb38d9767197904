"""`picojoule sweep`: budgets in, the accuracy-energy frontier out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from picojoule.cli.failure import as_flag, explained
from picojoule.cli.flag_words import SWEEP
from picojoule.cli.freed_memory import keep_freed_memory
from picojoule.cli.frontier_picture import draw_frontier
from picojoule.cli.frontier_table import print_frontier
from picojoule.cli.pictures import why_no_pictures
from picojoule.cli.progress import ProgressBar
from picojoule.cli.train_flags import FILES, stated_by, with_flags
from picojoule.printable import printable
from picojoule.training import Frontier, Progress, SweepConfig, SweepError
from picojoule.training import sweep as run_sweep
from picojoule.training.files.yaml_file import Settings, read_settings
from picojoule.training.settings.bounds import LIMITS
from picojoule.training.settings.stated import resolved
from picojoule.training.sweeping import Unit
from picojoule.training.sweeping.axes import parsed_axes, split_axes
from picojoule.training.sweeping.comparison import Comparison, read_comparison
from picojoule.training.sweeping.cost import common_cost

_PICTURE = "frontier.png"
_SWEEP = "Sweep"


def _option(text: str, panel: str = _SWEEP) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=text, rich_help_panel=panel)
    return option


@with_flags(without=(*LIMITS, "per", "devices", "no_budget"))  # the sweep sets these itself
def sweep(
    budgets: Annotated[
        str,
        _option(
            "What the networks may spend, such as 0.5,0.25,0.1: shares of the SynOps that the network without a "
            "budget spends in the layers that training can change; with another --unit, limits on the whole network."
        ),
    ],
    unit: Annotated[
        Unit,
        typer.Option(
            help=f"What the budgets are in: {', '.join(get_args(Unit))}. Joules are per sample and need --profile.",
            metavar="UNIT",
            rich_help_panel=_SWEEP,
        ),
    ] = "share",
    seeds: Annotated[int, _option("Networks for each budget: --seed and the seeds after it.")] = 1,
    jobs: Annotated[
        int,
        _option(
            "Runs at once, each in a process of its own; with --continue at most one for each seed and setting, as "
            "budgets follow on each other."
        ),
    ] = 1,
    equal_steps: Annotated[
        bool,
        typer.Option(
            "--equal-steps/--continue",
            help="Train each network from the same start for as many steps as any other; or let each go on from the "
            "weights of the next looser budget, with the steps of all looser ones behind it.",
            rich_help_panel=f"{_SWEEP}, on or off",
        ),
    ] = True,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            help="Sweep over a setting of training, too, such as --axis num-timesteps=3,5; may be repeated. A list in "
            "--config does the same.",
            metavar="SETTING=VALUE,...",
            show_default=False,
            rich_help_panel=_SWEEP,
        ),
    ] = None,
    points: Annotated[
        float,
        _option(
            "Name the cheapest network at most so many points of accuracy (hundredths of another score) below the best."
        ),
    ] = 1.0,
    within: Annotated[
        float | None,
        typer.Option(
            "--within",
            "--met-within",
            help="Count a budget as met only if at most this share of it is left over, such as 0.05. [dim]Default: "
            "any.[/]",
            show_default=False,
            rich_help_panel=_SWEEP,
        ),
    ] = None,
    beside: Annotated[
        Path | None,
        _option(
            "Result file of other methods, such as benchmarks/results/budget.json, to compare with and to draw.",
            FILES,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        _option(
            "Database that many machines share, such as postgresql://host/name: give the same command on "
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
    """Train a network to several budgets, and show what accuracy costs.

    First without a budget, then to each budget, from the same start and for
    as many steps. Prints the frontier and its hypervolume, and writes
    frontier.json, frontier.png and every network to --out. After a stop or a
    kill the same command goes on; nothing is lost or done twice.

    Exit status: 0; 1, an error, or some runs failed and the others went on;
    130: stopped.
    """
    keep_freed_memory()
    given = {as_flag(name): value for name, value in settings.items()} | {
        "--config": config,
        "--out": out,
        "--beside": beside,
        "--within": within,
    }
    on_stop = "stopped; the same command goes on"
    with explained("picojoule sweep", lambda: on_stop, stated=given, flags=SWEEP):
        if not points >= 0:
            raise ValueError(f"--points is {points}, expected a number of points >= 0.")
        stated = stated_by(settings) | ({} if within is None else {"within": within})
        asked = SweepConfig(
            budgets=_numbers(budgets),
            unit=unit,
            seeds=seeds,
            equal_steps=equal_steps,
            **_training(config, stated, parsed_axes(axis or [])),
        )
        others = None if beside is None else _others(beside, asked)
        try:
            no_pictures = why_no_pictures()
            with ProgressBar() as progress:
                if no_pictures is not None:
                    progress.note(no_pictures)
                if others is not None:
                    _tell_differences(others, asked, progress)
                frontier = run_sweep(asked, out, progress, jobs=jobs, storage=storage, study=study)
        except SweepError as error:
            if error.frontier.points:
                _show(error.frontier, out, points, no_pictures, others)
            typer.echo(f"picojoule sweep: {printable(str(error))}", err=True)
            raise typer.Exit(1) from None
        _show(frontier, out, points, no_pictures, others)


def _training(
    file: Path | None, stated: dict[str, Any], axes: dict[str, list[str]]
) -> dict[str, Any]:
    """What is trained, and on which axes, from a file and from flags, which override it."""
    twice = axes.keys() & stated.keys()
    if twice:
        name = min(twice).replace("_", "-")
        raise ValueError(
            f"--axis {name} and --{name} contradict each other. Leave one of them out."
        )
    values, places = Settings({}, {}) if file is None else read_settings(file)
    places = {name: place for name, place in places.items() if name not in stated | axes}
    unlimited = dict.fromkeys(LIMITS)
    single, several = split_axes(unlimited | values | stated | axes, places)
    return {"training": resolved(unlimited | single, places), "axes": several}


def _others(file: Path, asked: SweepConfig) -> Comparison:
    if asked.training.task is not None:
        raise ValueError(
            f"--beside {file}: it has accuracies, and the task {asked.training.task} a score of its own."
        )
    others = read_comparison(file)
    try:
        common_cost({asked.cost, others.frontier.cost}, equal_timesteps=True)
    except ValueError as error:
        raise ValueError(f"--beside {file}: {error}") from None
    return others


def _tell_differences(others: Comparison, asked: SweepConfig, progress: Progress) -> None:
    found = others.differences(asked.training)
    if found:
        progress.note(f"what is shown beside was trained otherwise: {'; '.join(found)}")


def _show(
    frontier: Frontier,
    out: Path,
    points: float,
    no_pictures: str | None,
    others: Comparison | None,
) -> None:
    beside = None if others is None else others.frontier
    print_frontier(frontier, points, beside)
    if no_pictures is None:
        draw_frontier(frontier, out / _PICTURE, beside)
    drawn = ", the picture" if no_pictures is None else ""
    typer.echo(f"Figures{drawn} and all weights are in {out}")


def _numbers(text: str) -> tuple[float, ...]:
    numbers: tuple[float, ...] = ()
    with contextlib.suppress(ValueError):
        numbers = tuple(float(number) for number in text.split(",") if number.strip())
    if not numbers:
        raise ValueError(f"--budgets is {text!r}, expected numbers such as 0.5,0.25,0.1.")
    return numbers
