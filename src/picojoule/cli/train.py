"""`picojoule train`: settings in, tables and pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from picojoule.cli.failure import as_flag, explained
from picojoule.cli.flag_words import BUDGET
from picojoule.cli.freed_memory import keep_freed_memory
from picojoule.cli.pictures import why_no_pictures
from picojoule.cli.progress import ProgressBar
from picojoule.cli.tables import print_run
from picojoule.cli.train_flags import FILES, stated_by, with_flags
from picojoule.plots import plot_firing_rates, plot_synops
from picojoule.training import Run, TrainConfig
from picojoule.training import train as run_training
from picojoule.training.config_error import ConfigError
from picojoule.training.files.run_folder import CONFIG, saved_settings
from picojoule.training.files.yaml_file import Settings, read_settings
from picojoule.training.loop.processes import common_status, is_first_process
from picojoule.training.settings.stated import resolved

_RUN = {"out": (str, "a folder"), "compare": (bool, "true or false"), "tensorboard": (bool, "true or false")}  # fmt: skip

_SUCCESS, _OF_NO_USE, _NOT_KEPT = 0, 3, 4  # 1 is an error, 2 a command that cannot be understood


class Asked(NamedTuple):
    """What a user asks for: the run, and what becomes of it."""

    config: TrainConfig
    out: Path
    compare: bool
    tensorboard: bool


@with_flags()
def train(
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of settings; flags override it.", rich_help_panel=FILES),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the run's files. [dim]Default: runs/train.[/]", rich_help_panel=FILES
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in --out where it stopped, with its settings.",
            rich_help_panel=FILES,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the run in --out.", rich_help_panel=FILES),
    ] = False,
    compare: Annotated[
        bool | None,
        typer.Option(
            help="First train the same network without a budget. [dim]Default: compare.[/]",
            rich_help_panel=FILES,
        ),
    ] = None,
    tensorboard: Annotated[
        bool | None,
        typer.Option("--tensorboard", help="Write to OUT/tensorboard, too.", rich_help_panel=FILES),
    ] = None,
    **settings: Any,
) -> None:
    """Train a spiking network to a budget of synaptic operations, energy and firing rates.

    Without arguments: a LeNet on bundled images, 2,000 SynOps per time step in each layer that training can
    change. Prints what each layer spends and how it fires before and after, beside the same network
    trained without a budget. Pictures, figures (report.json), weights and settings (config.yaml) go to --out.

    Exit status: 0, the budget is kept; 4, it is not; 3, the network is of no use, whatever it spends: a layer
    fell silent, all samples get one answer, or the loss is beyond reason. In all three everything is
    written and shown. 1: an error; 130: stopped.
    """
    keep_freed_memory()
    given = {as_flag(name): value for name, value in settings.items()} | {
        "--config": config,
        "--out": out,
    }
    with explained("picojoule train", stated=given, flags=BUDGET):
        of_the_run = {"out": out, "compare": compare, "tensorboard": tensorboard}
        asked = _asked(config, of_the_run, stated_by(settings), resume)
    with explained("picojoule train", lambda: _how_to_go_on(asked), stated=given, flags=BUDGET):
        with ProgressBar() as progress:
            no_pictures = why_no_pictures()
            if no_pictures is not None and is_first_process():
                progress.note(no_pictures)
            run = run_training(
                asked.config,
                asked.out,
                progress,
                compare=asked.compare,
                resume=resume,
                overwrite=overwrite,
                tensorboard=asked.tensorboard,
            )
        if is_first_process():
            print_run(run)
            if no_pictures is None:
                _draw(run, asked.out)
            drawn = ", pictures" if no_pictures is None else ""
            typer.echo(f"Figures{drawn} and weights are in {asked.out}")
        raise typer.Exit(common_status(_status(run)))


def _status(run: Run) -> int:
    """What a script should know: 0, or that it is better not to go on with this network."""
    if run.budget.faults:
        return _OF_NO_USE
    exits = run.budget.exits
    out_of_reach = exits is not None and exits.tested is None
    kept = run.budget.trained.keeps_budget and not out_of_reach
    return _SUCCESS if kept else _NOT_KEPT


def _asked(
    file: Path | None, of_the_run: dict[str, Any], stated: dict[str, Any], resume: bool
) -> Asked:
    """File and flags together; of a run that is resumed, its own settings where nothing is stated."""
    from_file, places = Settings({}, {}) if file is None else read_settings(file)
    run = {name: value for name, value in from_file.items() if name in _RUN}
    for name, value in run.items():
        kind, words = _RUN[name]
        if not isinstance(value, kind):
            raise ConfigError(f"{places[name]}{name} is {value!r}, expected {words}.", name)
    run |= {name: value for name, value in of_the_run.items() if value is not None}
    out = Path(run.get("out", "runs/train"))
    settings = {name: value for name, value in from_file.items() if name not in _RUN} | stated
    if resume and (out / CONFIG).exists():
        kept = saved_settings(out)
        settings, places = kept.values | settings, kept.places | places
    said = {name: place for name, place in places.items() if name not in stated}
    config = resolved(settings, said)
    return Asked(config, out, run.get("compare", True), run.get("tensorboard", False))


def _how_to_go_on(asked: Asked) -> str:
    if not (asked.out / CONFIG).exists():
        return "stopped before there was anything to keep"
    compare = "" if asked.compare else " --no-compare"
    tensorboard = " --tensorboard" if asked.tensorboard else ""
    return (
        f"stopped; {asked.out} has the checkpoint of the last whole epoch. Go on with "
        f"picojoule train --out {asked.out}{compare}{tensorboard} --resume"
    )


def _draw(run: Run, out: Path) -> None:
    fit = run.budget
    floor = run.config.min_rate if isinstance(run.config.min_rate, float) else None
    if fit.trained.rates:
        plot_firing_rates(fit.untrained.rates, fit.trained.rates, out / "firing_rates.png", floor)
    fixed = set(fit.trained.synops_per_timestep) - set(fit.trained.trainable)
    limit = _one_limit_a_layer(run.config)
    if fit.history.synops_per_timestep:
        plot_synops(fit.history.synops_per_timestep, limit, out / "synops.png", fixed)


def _one_limit_a_layer(config: TrainConfig) -> float | None:
    """SynOps per time step that every layer may spend, to draw as a line."""
    limit = config.synops_per_timestep
    return limit if config.per in ("layer", "trainable") and isinstance(limit, float) else None
