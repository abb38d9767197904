"""`picojoule sweep`: budgets in, the accuracy-energy frontier out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from picojoule.cli.failure import explained
from picojoule.cli.frontier_table import draw_frontier, print_frontier
from picojoule.cli.progress import ProgressBar
from picojoule.training import Frontier, SweepConfig, SweepError, TrainConfig
from picojoule.training import sweep as run_sweep
from picojoule.training.sweeping import Unit

_DEFAULT = TrainConfig()
_PICTURE = "frontier.png"


def _option(text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=text)
    return option


def sweep(
    budgets: Annotated[
        str,
        _option(
            "What the networks may spend, such as 0.5,0.25,0.1: shares of the SynOps that the unconstrained network "
            "spends in the layers that training can change; or, with --unit, limits on the whole network."
        ),
    ],
    unit: Annotated[Unit, _option("What the budgets are in.")] = "share",
    profile: Annotated[
        str | None, _option("Chip whose prices joules are in, such as loihi; see `picojoule info`.")
    ] = None,
    out: Annotated[
        Path, _option("Folder for the sweep's files; the same command again goes on in it.")
    ] = Path("runs/sweep"),
    seeds: Annotated[int, _option("Networks a budget, with --seed and the seeds after it.")] = 1,
    jobs: Annotated[
        int,
        _option(
            "Runs at once, in processes of their own; at most one a seed, since budgets follow on each other."
        ),
    ] = 1,
    storage: Annotated[
        str | None,
        _option(
            "Database that many machines share, such as postgresql://user:password@host/name: the same command on "
            "each, with an --out that all of them see. [default: SQLite in --out]"
        ),
    ] = None,
    study: Annotated[str, _option("Name of the Optuna study in the database.")] = "sweep",
    within: Annotated[
        float,
        _option("Name the cheapest network at most so many points of accuracy below the best."),
    ] = 1.0,
    data: Annotated[
        str | None, _option("As in `picojoule train`. [default: bundled images]")
    ] = None,
    epochs: Annotated[int, _option("Of each run.")] = _DEFAULT.epochs,
    batch_size: Annotated[int, _option("Samples in a training step.")] = _DEFAULT.batch_size,
    num_timesteps: Annotated[int, _option("Length of a sample.")] = _DEFAULT.num_timesteps,
    max_rate: Annotated[
        float, _option("Spikes per time step of a white pixel, at most 1.")
    ] = _DEFAULT.max_rate,
    learning_rate: Annotated[
        float, _option("Adam's, at the start of each run.")
    ] = _DEFAULT.learning_rate,
    seed: Annotated[int, _option("The first.")] = _DEFAULT.seed,
) -> None:
    """Train a network at one energy budget after another and show what accuracy costs.

    First without a budget, then from the loosest budget to the tightest, each from the weights of the one before.
    Prints and draws the frontier and writes frontier.json, frontier.png and every network to --out. Stopped or
    killed, it goes on by the same command; nothing is lost or done twice.
    """
    with explained("picojoule sweep"):
        if not within >= 0:
            raise ValueError(f"--within is {within}, expected a number of points >= 0.")
        training = TrainConfig(
            data=data,
            epochs=epochs,
            batch_size=batch_size,
            num_timesteps=num_timesteps,
            max_rate=max_rate,
            learning_rate=learning_rate,
            seed=seed,
            profile=profile,
        )
        config = SweepConfig(budgets=_numbers(budgets), unit=unit, seeds=seeds, training=training)
        try:
            with ProgressBar() as progress:
                frontier = run_sweep(config, out, progress, jobs=jobs, storage=storage, study=study)
        except SweepError as error:
            if error.frontier.points:
                _show(error.frontier, out, within)
            typer.echo(f"picojoule sweep: {error}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("picojoule sweep: stopped; the same command goes on", err=True)
            raise typer.Exit(130) from None
        _show(frontier, out, within)


def _show(frontier: Frontier, out: Path, within: float) -> None:
    print_frontier(frontier, within)
    draw_frontier(frontier, out / _PICTURE)
    typer.echo(f"Figures, the picture and all weights are in {out}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise ValueError(f"--budgets is {text!r}, expected numbers such as 0.5,0.25,0.1.") from None
