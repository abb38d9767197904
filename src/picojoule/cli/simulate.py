"""`picojoule simulate`: what a chip will make of a network, event by event."""

# More than 250 lines: the options, each with its sentence of help.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from picojoule.cli.chip_flags import chip_limits
from picojoule.cli.completion import complete_profile, complete_run
from picojoule.cli.failure import explained
from picojoule.cli.flag_values import checked_seed
from picojoule.cli.peaks import Per, parsed_limit
from picojoule.cli.pictures import why_no_pictures
from picojoule.cli.progress import ProgressBar
from picojoule.cli.report_file import Format, check_picture, chosen_format, print_or_write
from picojoule.cli.simulated_gap import checked_samples
from picojoule.cli.simulation import simulated
from picojoule.cli.simulation_asked import AnyOrder, Asked
from picojoule.data.event_columns import TimeUnit
from picojoule.events.orders import Arrival, Leak
from picojoule.events.slow_start import telling
from picojoule.printable import printable
from picojoule.report.priced import priceable
from picojoule.synops.watch.count import Weights

_NOT_KEPT = 4  # as of `picojoule train`
_INPUT, _CHIP = "Model and input", "How the chip runs"
_SPEED, _GAP, _REPORT = "SynOps per second", "Gap to PyTorch, on labelled data", "Report"


def _option(text: str, panel: str, *names: str, **more: Any) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(*names, help=text, rich_help_panel=panel, **more)
    return option


def simulate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            autocompletion=complete_run,
            help="Folder of a run of picojoule train, lenet, recurrent, module:factory, path/to/file.py:factory, or a .nir "
            "file. The factory takes no arguments.",
        ),
    ],
    events: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTS",
            help="A recording: .npy with fields t, x, y, p under any usual names, .raw, .dat, .aedat, .aedat4; or a raster in "
            "the model's input shape, .npy or .pt.",
        ),
    ],
    dt_us: Annotated[
        int | None,
        _option(
            "Length of a time step in microseconds. A recording needs it.", _INPUT, "--dt-us", min=1
        ),
    ] = None,
    size: Annotated[
        str | None,
        _option(
            "Shape of the model's input at a time step, such as 2,34,34. [dim]Default: that of the run's data, or of lenet and "
            "recurrent.[/]",
            _INPUT,
            metavar="P,H,W|N",
        ),
    ] = None,
    time_unit: Annotated[
        TimeUnit | None,
        _option("Of the times in an .npy file, if its fields do not say it.", _INPUT),
    ] = None,
    columns: Annotated[
        str | None,
        _option("Columns of an .npy file that is a matrix.", _INPUT, metavar="T,X,Y,P"),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        _option("Weights: .safetensors, or a state_dict that torch.save wrote.", _INPUT),
    ] = None,
    num_timesteps: Annotated[
        int | None,
        _option("Time steps of a sample, if the layers or --data leave it open.", _INPUT, min=1),
    ] = None,
    seed: Annotated[int, _option("Seed of random weights, and of --arrival random.", _INPUT)] = 0,
    order: Annotated[
        AnyOrder,
        _option(
            "step, PyTorch's time steps; breadth, each layer empties its queue before the next begins; depth, each event goes "
            "through before the next.",
            _CHIP,
        ),
    ] = "step",
    leak: Annotated[
        Leak,
        _option(
            "With the time steps; by a constant at the ticks of a slow clock; or exponential, by elapsed time.",
            _CHIP,
        ),
    ] = "step",
    tick_steps: Annotated[
        int, _option("Time steps from one tick of the slow clock to the next.", _CHIP, min=1)
    ] = 1,
    arrival: Annotated[
        Arrival,
        _option(
            "How the input's events of a time step come one after the other: at random, or by their place on the sensor, "
            "from the top.",
            _CHIP,
        ),
    ] = "random",
    weight_bits: Annotated[
        int | None, _option("Bits of a weight, sign included.", _CHIP, min=2, max=24)
    ] = None,
    state_bits: Annotated[
        int | None,
        _option("Bits of a potential, which saturates; needs --weight-bits.", _CHIP, min=2, max=24),
    ] = None,
    one_threshold: Annotated[
        bool,
        _option(
            "The neurons of a layer share the mean of their thresholds.", _CHIP, "--one-threshold"
        ),
    ] = False,
    decimate: Annotated[
        str | None,
        _option(
            "One of so many events that a layer gives out passes.", _CHIP, metavar="N|LAYER=N,..."
        ),
    ] = None,
    queue_length: Annotated[
        int | None,
        _option("Events that wait in front of a layer at most; more are lost.", _CHIP, min=1),
    ] = None,
    limit_synops_per_second: Annotated[
        str | None,
        _option(
            "What the chip can do; needs --dt-us. Exit status 4 if it is exceeded.",
            _SPEED,
            metavar="N|LAYER=N,...",
        ),
    ] = None,
    per: Annotated[
        Per, _option("What one number limits: each layer, as a core has one, or the model.", _SPEED)
    ] = "layer",
    window_ms: Annotated[
        float | None,
        _option(
            "Window that SynOps per second are a mean over. [dim]Default: a time step.[/]", _SPEED
        ),
    ] = None,
    data: Annotated[
        str | None,
        _option(
            "As of picojoule train, or bundled for the bundled images: accuracy with each cause of the gap. [dim]Default: the "
            "run's, if there are --samples.[/]",
            _GAP,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        _option("Test samples. [dim]Default: 200, if there is --data.[/]", _GAP, min=1),
    ] = None,
    weights: Annotated[
        Weights | None,
        _option(
            "Whether pruned weights are synapses. [dim]Default: as the run counted them; all of another model.[/]",
            _REPORT,
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        _option(
            "Also joules on this chip or technology, such as loihi or 45nm-int8+step, by layer and in all; repeat it to have "
            "several side by side.",
            _REPORT,
            autocompletion=complete_profile,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        _option(
            "Events in and out, and SynOps with the limit, over time.", _REPORT, metavar="FILE.png"
        ),
    ] = None,
    form: Annotated[
        Format | None,
        _option(
            "How the report is written. html has pictures. [dim]Default: table, or by --output's ending.[/]",
            _REPORT,
            "--format",
        ),
    ] = None,
    output: Annotated[Path | None, _option("File to write instead of printing.", _REPORT)] = None,
) -> None:
    """Run a trained network on events as an event-driven chip does, before there is a chip.

    Reports SynOps, firing rates and joules from the events that were delivered, the most SynOps per second in any window,
    which is where a chip stalls, and, on labelled data, the accuracy that each property of the chip costs. The default order
    gives PyTorch's spikes. MODEL's code is run.

    Exit status: 0; 4, --limit-synops-per-second is exceeded, and everything is written and shown; 1: an error; 130: stopped.

    Example: picojoule simulate runs/train tap.aedat4 --dt-us 1000 --order depth --window-ms 10 --picture tap.png
    """
    given = {"EVENTS": events, "--checkpoint": checkpoint, "--data": data}
    with explained("picojoule simulate", stated=given, flags={}):
        asked = Asked(
            model=model,
            input_file=events,
            dt_us=dt_us,
            size=size,
            time_unit=time_unit,
            columns=None if columns is None else [name.strip() for name in columns.split(",")],
            checkpoint=checkpoint,
            num_timesteps=num_timesteps,
            seed=checked_seed(seed),
            order=order,
            leak=leak,
            tick_steps=tick_steps,
            arrival=arrival,
            chip=chip_limits(weight_bits, state_bits, one_threshold, decimate, queue_length),
            limit=parsed_limit(limit_synops_per_second, per),
            per=per,
            window_ms=window_ms,
            data=data,
            samples=checked_samples(samples, data),
            weights=weights,
        )
        asked.check()
        profiles = [priceable(each).name for each in profile or []]  # before anything runs
        form = chosen_format(form, output)
        if picture is not None:
            check_picture(picture)
        no_pictures = why_no_pictures() if picture is not None or form == Format.html else None
        with ProgressBar() as progress:
            if no_pictures is not None:
                progress.note(no_pictures)
            with telling(progress.note):
                found, notes = simulated(asked, progress)
        for sentence in notes:
            typer.echo(f"Note: {printable(sentence)}", err=True)
        print_or_write(found.written(form, profiles, pictures=no_pictures is None), output)
        if picture is not None and no_pictures is None:
            found.draw(picture)
            typer.echo(f"Drawn to {picture}.", err=True)
        over = found.peaks.over if found.peaks is not None else []
        for sentence in over:
            typer.echo(f"Over the limit: {printable(sentence)}", err=True)
        if over:
            raise typer.Exit(_NOT_KEPT)
