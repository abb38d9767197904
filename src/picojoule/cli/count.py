"""`picojoule count`: what a model spends on one input."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from torch import Tensor

from picojoule import energy
from picojoule.cli.counted_run import build, default_input, run
from picojoule.cli.failure import explained
from picojoule.cli.model_input import model_input
from picojoule.cli.pictures import why_no_pictures
from picojoule.cli.report_file import Format, chosen_format, print_or_write
from picojoule.printable import printable
from picojoule.report import Monitor, Report
from picojoule.synops import MonitorWarning
from picojoule.synops.watch.count import Weights
from picojoule.training.files.weights import load_weights

# Monitor's, without "outer": the model is called once
TimeAxis = Literal["bt", "tb", "last", "folded", "loop"]


def _option(text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=text)
    return option


def count(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="lenet, recurrent, module:factory, path/to/file.py:factory, or a .nir file. The factory takes no arguments.",
        ),
    ],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="SHAPE|FILE",
            help="Shape as the model takes it, batch first, such as 1,50,2,34,34; or an .npy file, whose integers stay "
            "integers, or a .pt file of tensors. Repeat it for a model of several inputs. "
            "[dim]Default: that of lenet and recurrent.[/]",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, _option("Weights: .safetensors, or a state_dict that torch.save wrote.")
    ] = None,
    profile: Annotated[
        str | None, _option("Also joules on this chip or technology, such as loihi or 45nm-int8.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also what sinabs, NeuroBench, syops, SpikingJelly and FLOPs times the rate give, and why they differ.",
        ),
    ] = False,
    rate: Annotated[float, _option("Spikes per value of a random input, 0 to 1.")] = 0.1,
    dense: Annotated[
        bool, typer.Option("--dense", help="Draw values in 0..1, as of an image, not spikes.")
    ] = False,
    seed: Annotated[int, _option("Seed of the random input, and of random weights.")] = 0,
    weights: Annotated[Weights, _option("Whether pruned weights are synapses.")] = "all",
    time_axis: Annotated[
        TimeAxis | None,
        _option(
            "Where the input has its time, if the layers do not say: bt after the batch, tb before it, "
            "last as the last axis, folded with it into one axis; loop, the model runs its layers once a step."
        ),
    ] = None,
    num_timesteps: Annotated[
        int | None, _option("Time steps of a sample, if the layers do not say.")
    ] = None,
    samples: Annotated[
        int | None,
        _option(
            "Samples in the input, where neither its axes nor the layers say. [dim]Default: the input's first axis, if "
            "the model folds it with the time.[/]"
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Layer that is not counted, with all in it; may be repeated."
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="How the report is written. html has pictures. [dim]Default: table, or by --output's ending.[/]",
        ),
    ] = None,
    output: Annotated[Path | None, _option("File to write instead of printing.")] = None,
) -> None:
    """Count a model's synaptic operations, firing rates and joules on one input, layer by layer.

    The input is random unless a file is given, and the counts follow the input: show it real data
    for a number to publish. The model runs once, in evaluation mode. MODEL's code is run.

    Example: picojoule count ./mynet.py:build --input 1,50,2,34,34 --profile loihi --output net.html
    """
    with explained("picojoule count"):
        if profile is not None:
            _check_profile(profile)
        chosen = chosen_format(form, output)
        if samples is not None and samples < 1:
            raise ValueError(f"--samples is {samples}, expected a whole number >= 1.")
        inputs = given or default_input(model, num_timesteps)
        shown = model_input(inputs, rate, dense, seed)
        network = build(model, shown, num_timesteps, seed)
        if checkpoint is not None:
            load_weights(network, checkpoint)
        monitor = Monitor(
            network,
            weights=weights,
            time_axis=time_axis,
            num_timesteps=num_timesteps,
            samples=samples,
            ignore=tuple(ignore or ()),
            conventions=explain,
        )
        taken, notes = run(network, monitor, shown, samples)
        report = monitor.report()
        typer.echo(f"Input: {printable(taken.words)}.", err=True)
        no_pictures = why_no_pictures() if chosen == Format.html else None
        for sentence in [*notes, *_checked(monitor), *filter(None, [no_pictures])]:
            typer.echo(f"Note: {printable(sentence)}", err=True)
        pictures = None if no_pictures else monitor.rates
        print_or_write(_written(report, chosen, profile, pictures), output)
        if explain and chosen != Format.json:
            typer.echo(f"\n{report.explain()}", err=output is None and chosen != Format.table)


def _check_profile(name: str) -> None:
    """Before anything runs: a profile that cannot price is an error."""
    energy.energy_j(name, synops=0)


def _checked(monitor: Monitor) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonitorWarning)
        return monitor.check()


def _written(
    report: Report, form: Format, profile: str | None, rates: Mapping[str, Tensor] | None
) -> str:
    """The report in that form; a page has pictures if there are rates to draw."""
    write: dict[Format, Callable[..., str]] = {
        Format.table: report.to_text,
        Format.json: report.to_json,
        Format.latex: report.to_latex,
        Format.html: partial(report.to_html, picture=rates is not None, rates=rates),
        Format.markdown: report.to_markdown,
    }
    return write[form](profile=profile)
