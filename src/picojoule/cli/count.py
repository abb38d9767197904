"""`picojoule count`: what a model spends on one input."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from picojoule.cli.completion import complete_model, complete_profile
from picojoule.cli.counted_run import build, default_input, run, spiking_modules
from picojoule.cli.failure import explained
from picojoule.cli.flag_values import checked_seed, one_or_several
from picojoule.cli.flag_words import COUNTING, in_flags
from picojoule.cli.model_input import ModelInput, drawn_or_read
from picojoule.cli.pictures import why_no_pictures
from picojoule.cli.report_file import Format, chosen_format, print_or_write, rendered
from picojoule.printable import printable
from picojoule.report import Monitor, Report
from picojoule.report.document import Document, document
from picojoule.report.energy_tables import with_energy
from picojoule.report.pictures import page_pictures
from picojoule.report.priced import chosen, priceable
from picojoule.synops import MonitorWarning
from picojoule.synops.watch.count import Weights
from picojoule.synops.watch.spiking import TimeAxis
from picojoule.training.files.weights import load_weights

InputKind = Literal["auto", "spikes", "dense"]


def _option(text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=text)
    return option


def count(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            autocompletion=complete_model,
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
        list[str] | None,
        typer.Option(
            help="Also joules on this chip or technology, such as loihi or 45nm-int8+step, by layer and in all; repeat it "
            "to have several side by side. picojoule info lists them.",
            autocompletion=complete_profile,
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also what sinabs, NeuroBench, syops, SpikingJelly and FLOPs times the rate give, and why they differ.",
        ),
    ] = False,
    methods: Annotated[
        bool,
        typer.Option(
            "--methods",
            help="Also a paragraph for the methods section of a paper: how this was counted.",
        ),
    ] = False,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread", help="Also the standard deviation of SynOps over the samples of the input."
        ),
    ] = False,
    rate: Annotated[
        float | None,
        _option("Spikes per value of a random input, 0 to 1. [dim]Default: 0.1.[/]"),
    ] = None,
    dense: Annotated[
        bool, typer.Option("--dense", help="Draw values in 0..1, as of an image, not spikes.")
    ] = False,
    input_kind: Annotated[
        InputKind,
        _option(
            "What the input counts as: spikes, which cost SynOps, or dense values, which cost MACs; auto is spikes if all "
            "values are whole numbers."
        ),
    ] = "auto",
    spiking: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|TYPE",
            help="Layer whose output is spikes, by its name or its type, where that is not seen; may be repeated.",
        ),
    ] = None,
    seed: Annotated[int, _option("Seed of the random input, and of random weights.")] = 0,
    weights: Annotated[Weights, _option("Whether pruned weights are synapses.")] = "all",
    time_axis: Annotated[
        TimeAxis | None,
        _option(
            "Where the input has its time, if the layers do not say: bt after the batch, tb before it, "
            "last as the last axis, folded with it into one axis; loop, the model makes the steps itself, and its layers get "
            "one at a time; outer, the model takes one step a call, and is called with each step of the input's second axis."
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

    For a paper: picojoule count ./mynet.py:build --input test.npy --spread --profile loihi --methods --output net.tex
    """
    stated = {"--input": given, "--checkpoint": checkpoint}
    with explained("picojoule count", stated=stated, flags=COUNTING):
        profiles = [priceable(each).name for each in chosen(profile or [])]  # before anything runs
        form = chosen_format(form, output)
        if samples is not None and samples < 1:
            raise ValueError(f"--samples is {samples}, expected a whole number >= 1.")
        seed = checked_seed(seed)
        inputs = given or default_input(model, num_timesteps)
        shown = drawn_or_read(inputs, rate, dense, seed)
        if time_axis == "outer":
            num_timesteps, samples = _outer(shown, num_timesteps, samples)
            shown = replace(shown, words=f"{shown.words}, one time step a call")
        network = build(model, shown, num_timesteps, seed)
        if checkpoint is not None:
            load_weights(network, checkpoint)
        monitor = Monitor(
            network,
            weights=weights,
            spiking=spiking_modules(network, spiking or []),
            time_axis=time_axis,
            num_timesteps=None if time_axis == "outer" else num_timesteps,
            samples=samples,
            inputs=input_kind,
            ignore=tuple(ignore or ()),
            detail=["sample"] if spread else [],
            conventions=explain,
        )
        taken, notes = run(network, monitor, shown, samples)
        report = monitor.report()
        report = replace(report, warnings=tuple(map(_as_typed, report.warnings)))
        typer.echo(f"Input: {printable(taken.words)}.", err=True)
        no_pictures = why_no_pictures() if form == Format.html else None
        for sentence in [*notes, *_checked(monitor), *filter(None, [no_pictures])]:
            typer.echo(f"Note: {printable(sentence)}", err=True)
        print_or_write(_written(report, form, profiles, pictures=no_pictures is None), output)
        beside = output is None and form != Format.table
        if explain and form != Format.json:
            typer.echo(f"\n{report.explain()}", err=beside)
        if methods:
            typer.echo(f"\n{report.methods_text(profile=profiles)}", err=beside)


def _outer(shown: ModelInput, num_timesteps: int | None, samples: int | None) -> tuple[int, int]:
    """Time steps and samples of an input that is cut into its steps."""
    steps = shown.steps
    if num_timesteps not in (None, steps):
        raise ValueError(
            f"--num-timesteps is {num_timesteps}, but with --time-axis outer the input's second axis is the time, and it "
            f"has {steps} steps. Leave --num-timesteps out."
        )
    return steps, samples or len(shown.first)


def _checked(monitor: Monitor) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonitorWarning)
        return monitor.check()


def _as_typed(sentence: str) -> str:
    return in_flags(sentence, COUNTING)


def _written(report: Report, form: Format, profiles: list[str], *, pictures: bool) -> str:
    """The report in that form; a page has pictures if they can be drawn."""
    if form == Format.json:
        return report.to_json(profile=one_or_several(profiles) if profiles else None)
    drawn = page_pictures(report, profiles) if form == Format.html and pictures else None
    return rendered(_with_flags(with_energy(document(report), report, profiles)), form, drawn)


def _with_flags(written: Document) -> Document:
    """With options in notes as they are typed."""
    tables = (replace(table, notes=tuple(map(_as_typed, table.notes))) for table in written.tables)
    return replace(written, tables=tuple(tables))
