"""`picojoule train`: options in, tables and pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from picojoule.cli.failure import explained
from picojoule.cli.progress import ProgressBar
from picojoule.cli.tables import print_run
from picojoule.plots import plot_firing_rates, plot_synops
from picojoule.training import Run, TrainConfig
from picojoule.training import train as run_training

_DEFAULT = TrainConfig()


def _option(text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=text)
    return option


def train(
    data: Annotated[
        Path | None,
        _option("Folder with MNIST's four IDX files, plain or .gz. [default: bundled images]"),
    ] = None,
    out: Annotated[Path, _option("Folder for the run's files.")] = Path("runs/train"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out where it stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
    compare: Annotated[
        bool, _option("First train the same network without the SynOps and rate terms.")
    ] = True,
    epochs: Annotated[int, _option("Passes over the training images.")] = _DEFAULT.epochs,
    batch_size: Annotated[int, _option("Images in a training step.")] = _DEFAULT.batch_size,
    num_timesteps: Annotated[
        int, _option("Time steps that an image is shown for.")
    ] = _DEFAULT.num_timesteps,
    max_rate: Annotated[
        float, _option("Spikes per time step of a white pixel, at most 1.")
    ] = _DEFAULT.max_rate,
    learning_rate: Annotated[
        float, _option("Adam's, at the start; falls along a cosine.")
    ] = _DEFAULT.learning_rate,
    seed: Annotated[int, _option("Of weights, image order and spike trains.")] = _DEFAULT.seed,
    synops_target: Annotated[
        float, _option("SynOps per time step a layer may spend.")
    ] = _DEFAULT.synops_target,
    synops_weight: Annotated[
        float, _option("Weight of the excess over it; 0 for none.")
    ] = _DEFAULT.synops_weight,
    synops_margin: Annotated[
        float, _option("Share of the target training keeps free.")
    ] = _DEFAULT.synops_margin,
    min_rate: Annotated[
        float, _option("Spikes per time step a neuron should fire.")
    ] = _DEFAULT.min_rate,
    rate_weight: Annotated[
        float, _option("Weight of the shortfall; 0 for none.")
    ] = _DEFAULT.rate_weight,
    check_finite: Annotated[
        bool, _option("Stop at the first NaN or infinite input.")
    ] = _DEFAULT.check_finite,
) -> None:
    """Train a spiking LeNet on images, within a number of synaptic operations a layer.

    Prints what each layer spends and how it fires before and after, beside the same network trained
    without the two terms, and writes pictures, figures (report.json) and the weights to --out.
    """
    with explained("picojoule train"):
        config = TrainConfig(
            data=None if data is None else str(data),
            epochs=epochs,
            batch_size=batch_size,
            num_timesteps=num_timesteps,
            max_rate=max_rate,
            learning_rate=learning_rate,
            seed=seed,
            synops_target=synops_target,
            synops_weight=synops_weight,
            synops_margin=synops_margin,
            min_rate=min_rate,
            rate_weight=rate_weight,
            check_finite=check_finite,
        )
        with ProgressBar() as progress:
            run = run_training(
                config, out, progress, compare=compare, resume=resume, overwrite=overwrite
            )
        print_run(run)
        _draw(run, out)
        typer.echo(f"Figures, pictures and weights are in {out}")


def _draw(run: Run, out: Path) -> None:
    fit = run.budget
    plot_firing_rates(
        fit.untrained.rates, fit.trained.rates, out / "firing_rates.png", run.config.min_rate
    )
    fixed = set(fit.trained.synops_per_timestep) - set(fit.trained.trainable)
    history = fit.history.synops_per_timestep
    plot_synops(history, run.config.synops_target, out / "synops.png", fixed)
