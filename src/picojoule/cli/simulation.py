"""A simulation from what a user asks for to what was found."""

from __future__ import annotations

from torch import nn

from picojoule.cli.peaks import Peaks, check_names, peaks_of, window_of
from picojoule.cli.progress import ProgressBar
from picojoule.cli.simulated_gap import Labelled, measured_gap
from picojoule.cli.simulated_input import Raster, Recording, read_input, recording
from picojoule.cli.simulated_model import NamedModel, compiled, compiled_for, shown_shape
from picojoule.cli.simulated_run import (
    Simulation,
    run_by_steps,
    run_in_order,
)
from picojoule.cli.simulation_asked import Asked
from picojoule.cli.simulation_report import Found, counted
from picojoule.events import EventNetwork, Gap
from picojoule.synops.watch.count import Weights
from picojoule.training.networks.factories import BUILT_IN


def simulated(asked: Asked, progress: ProgressBar) -> tuple[Found, list[str]]:
    """Run it; also sentences on what the user should know.

    Raises:
        ValueError, TypeError, OSError, NotImplementedError, ImportError: the message says what to do.
    """
    shown, labelled, network, model, notes = _prepared(asked)
    if asked.order == "step":
        run = run_by_steps(network, shown, progress)
    else:
        run = run_in_order(
            network,
            shown,
            progress,
            order=asked.order,
            leak=asked.leak,
            tick_steps=asked.tick_steps,
            limits=asked.chip,
            arrival=asked.arrival,
            seed=asked.seed,
        )
    notes += _notes(run, asked)
    steps = window_of(asked.window_ms, asked.dt_us) if asked.dt_us is not None else 1
    found = Found(
        run,
        asked.settings(),
        asked.how,
        asked.dt_us,
        steps,
        _peaks(run, asked, steps),
        _gap(asked, model, network.weights, labelled, progress, notes),
        asked.limit,
    )
    return found, notes


def _prepared(
    asked: Asked,
) -> tuple[Recording | Raster, Labelled | None, EventNetwork, nn.Module, list[str]]:
    """Everything is read and checked before anything runs."""
    named = NamedModel.of(asked.model, asked.size)
    given = read_input(
        asked.input_file, dt_us=asked.dt_us, time_unit=asked.time_unit, columns=asked.columns
    )
    shown: Recording | Raster
    if isinstance(given, Raster):
        _check_stated(asked, given, named.step_shape)
        shown = given
    else:
        assert asked.dt_us is not None  # read_input saw to it
        shown = recording(given, asked.input_file, named.takes(), asked.dt_us)
    labelled = None
    if asked.samples is not None:
        labelled = Labelled.of(asked.data, named.run, asked.num_timesteps, asked.samples)
    raster = shown if isinstance(shown, Raster) else None
    model = named.build(raster, asked.num_timesteps, asked.seed, asked.checkpoint)
    if isinstance(shown, Raster):
        network, notes = compiled_for(model, shown.values, asked.compiled(named)), []
    else:
        network = compiled(model, shown.shape, asked.compiled(named))
        notes = [*shown.notes]
    check_names(asked.limit, network.weighted_layers)
    if named.name in BUILT_IN and asked.checkpoint is None:
        notes.append(
            f"{named.name} has random weights (seed {asked.seed}); give trained ones with --checkpoint, or name the folder of "
            "a run of picojoule train in place of the model."
        )
    return shown, labelled, network, model, notes


def _check_stated(asked: Asked, raster: Raster, step: tuple[int, ...] | None) -> None:
    """Raise ValueError if the user says of a raster what it is not: of events with times, or of another size."""
    came = tuple(raster.values.shape)
    if asked.time_unit is not None:
        raise ValueError(
            f"--time-unit {asked.time_unit} is of the times of events, and EVENTS is a raster, of shape {shown_shape(came)}. Leave "
            "it out."
        )
    if asked.size is not None and step is not None and came[-len(step) :] != step:
        raise ValueError(
            f"--size is {shown_shape(step)}, and EVENTS is a raster of shape {shown_shape(came)}, which ends in other axes. Leave "
            "--size out, or give the raster that the model takes."
        )


def _peaks(run: Simulation, asked: Asked, steps: int) -> Peaks | None:
    synops = counted(run)
    if asked.dt_us is None or not synops:
        return None
    return peaks_of(synops, steps, asked.dt_us, asked.limit, asked.per)


def _gap(
    asked: Asked,
    model: nn.Module,
    weights: Weights,
    labelled: Labelled | None,
    progress: ProgressBar,
    notes: list[str],
) -> Gap | None:
    if labelled is None:
        return None
    found, more = measured_gap(
        model,
        labelled,
        progress,
        order=None if asked.order == "step" else asked.order,
        leak=asked.leak,
        tick_steps=asked.tick_steps,
        limits=asked.chip,
        arrival=asked.arrival,
        weights=weights,
    )
    notes += more
    return found


def _notes(run: Simulation, asked: Asked) -> list[str]:
    notes = []
    if asked.dt_us is None:
        notes.append(
            "nothing says how long a step lasts, so there are no SynOps per second; give --dt-us."
        )
    if run.events_out is None:
        notes.append(
            f"the network ends in layer {run.output!r}, which gives out values in every step and no events."
        )
    if not run.events_in.any():
        notes.append("no events came in: all values of the raster are 0.")
    dense = [row.name for row in run.report.rows if row.macs_per_sample]
    if dense:
        notes.append(
            f"{', '.join(map(repr, dense))} got values that are no spikes: MACs, which are in no SynOps per second."
        )
    if run.dropped:
        where = ", ".join(f"{n:,} of {name!r}" for name, n in run.dropped.items())
        notes.append(
            f"events were lost in front of full queues ({where}); a longer --queue-length loses fewer."
        )
    return notes
