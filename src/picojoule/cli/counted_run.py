"""A model run once to be counted: built, given the batch of its input, called, with every error named."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from picojoule.cli.folded_batch import batch_of_input
from picojoule.cli.model_input import ModelInput
from picojoule.layers import reset_states
from picojoule.near_names import did_you_mean
from picojoule.report import Monitor
from picojoule.synops import MonitorWarning
from picojoule.synops.watch.checks import UncountedLayerError
from picojoule.training.networks.factories import BUILT_IN, check_form, load_model
from picojoule.training.networks.models import build_model
from picojoule.training.networks.refusing_layer import refusing_layer
from picojoule.training.networks.their_code import reason

# what the built-in models take where no input is named: those of the bundled images, and of spoken digits
_SHAPES = {"lenet": "1,{},1,28,28", "recurrent": "1,{},700"}
_STEPS = {"lenet": 5, "recurrent": 100}
CLASSES = {"lenet": 10, "recurrent": 20}


def default_input(model: str, num_timesteps: int | None) -> list[str]:
    """The input of a built-in model where none is named.

    Raises:
        ValueError: a model of the user's own, whose input nobody knows.

    Example:
        >>> default_input("lenet", 8)
        ['1,8,1,28,28']
    """
    if model not in BUILT_IN:
        if not model.endswith(".nir"):
            check_form(model)
        raise ValueError(
            "--input is missing: the shape as the model takes it, batch first, such as --input 1,50,2,34,34; or an .npy "
            "or .pt file."
        )
    return [_SHAPES[model].format(num_timesteps or _STEPS[model])]


def build(model: str, shown: ModelInput, num_timesteps: int | None, seed: int) -> nn.Module:
    """The model of that name, with the random weights of that seed."""
    torch.manual_seed(seed)
    if model not in BUILT_IN:
        return load_model(model, num_timesteps)
    batch, *sample = shown.first.shape
    try:
        return build_model(model, tuple(sample), CLASSES[model], batch)
    except ValueError as error:
        raise ValueError(
            f"{error} Give --input {default_input(model, None)[0]}, or the like."
        ) from error


def spiking_modules(network: nn.Module, names: list[str]) -> list[str | type[nn.Module]]:
    """Modules by name, and types of modules by theirs.

    Raises:
        ValueError: the model has neither of that name.

    Example:
        >>> spiking_modules(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), ["1", "ReLU"])
        ['1', <class 'torch.nn.modules.activation.ReLU'>]
    """
    modules = dict(network.named_modules())
    types = {type(module).__name__: type(module) for module in modules.values()}
    for name in names:
        if name not in modules and name not in types:
            hint = did_you_mean(name, [*modules, *types], however_far=True)
            raise ValueError(
                f"--spiking is {name!r}, but the model has no module and no type of module of that name.{hint}"
            )
    return [name if name in modules else types[name] for name in names]


def run(
    network: nn.Module, monitor: Monitor, shown: ModelInput, samples: int | None
) -> tuple[ModelInput, list[str]]:
    """Call the model once under its monitor, or once a time step if that is its time axis, in evaluation mode.

    Integers stay integers, as of tokens, unless the model takes floats alone.

    Returns:
        What it took, and sentences on what the user should know.

    Raises:
        NotImplementedError: a layer has no formula.
        ValueError: the model raised; the message says what and where.
    """
    network.eval()
    reset_states(network)
    attempts = [shown, shown.as_floats()] if shown.has_whole_numbers else [shown]
    dtypes = {p.dtype for p in network.parameters() if p.is_floating_point()}
    if len(dtypes) == 1 and torch.float32 not in dtypes:
        attempts = [each.in_dtype(*dtypes) for each in attempts]
    failed: list[Exception] = []
    for attempt in attempts:
        try:
            notes = _call(network, monitor, attempt, samples)
        except UncountedLayerError as error:
            raise NotImplementedError(_ways_on(error)) from error
        except Exception as error:
            failed.append(error)
            reset_states(network)
            monitor.reset()
        else:
            return attempt, notes
    last = failed[-1]  # of whole numbers, what is wrong but for their type
    if str(last).startswith(("Monitor:", "--")):
        raise ValueError(str(last)) from last
    raise ValueError(
        f"The model does not take an input of shape {shown.shapes}: {reason(last).rstrip('.')}."
        f"{_refused_by(network, monitor, attempts[-1], samples)} Give the shape that it takes with --input, batch first; if it takes "
        "several, --input for each."
    ) from last


def _refused_by(
    network: nn.Module, monitor: Monitor, shown: ModelInput, samples: int | None
) -> str:
    """The layer that does not take what it gets, found unwatched."""
    each = shown.at_step(0) if monitor.settings.time_axis == "outer" else shown
    with torch.no_grad(), batch_of_input(network, shown.first, samples):
        return refusing_layer(network, lambda: network(*each.args, **each.kwargs))


def _call(
    network: nn.Module, monitor: Monitor, shown: ModelInput, samples: int | None
) -> list[str]:
    is_outer = monitor.settings.time_axis == "outer"
    with (
        torch.no_grad(),
        warnings.catch_warnings(),
        monitor,
        batch_of_input(network, shown.first, samples) as notes,
    ):
        warnings.simplefilter("ignore", MonitorWarning)  # the report has them
        for each in [shown.at_step(t) for t in range(shown.steps)] if is_outer else [shown]:
            network(*each.args, **each.kwargs)
    return notes


def _ways_on(error: UncountedLayerError) -> str:
    """What can be done from here about a layer without a formula."""
    leave_out = f"Leave it out with --ignore {error.name}, or give" if error.name else "Give"
    return (
        f"{error.what} {leave_out} its formula in Python: "
        f"picojoule.Monitor(model, formulas={{{error.kind}: your_formula}})."
    )
