"""The settings of a training run as flags: a line for each, in groups as `--help` shows them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import typer

from picojoule.training.config import TrainConfig
from picojoule.training.settings import parsed_bound, parsed_groups

FILES = "Run and files"
_MODEL, _TRAINING, _BUDGET, _MACHINE = "Model and data", "Training", "Budget", "Machine"
_DEFAULT = TrainConfig()
_BOUND = "NUMBER | LAYER=NUMBER,..."


class Flag(NamedTuple):
    """One setting.

    Args:
        name: as in :class:`TrainConfig`.
        kind: type of the flag's value; None for a limit or floor.
        panel: heading in the help.
        help: what it is.
        default: in words; None shows the configuration's.
    """

    name: str
    kind: type | None
    panel: str
    help: str
    default: str | None = None


FLAGS = (
    Flag("model", str, _MODEL, "lenet, recurrent, or your own: module:function, file.py:function."),
    Flag(
        "data",
        str,
        _MODEL,
        "Folder of images or events, saccade, saccade:FOLDER, or your own: module:function, file.py:function "
        "giving (train, test).",
        "bundled images",
    ),
    Flag(
        "task",
        str,
        _MODEL,
        "What to learn, if not classes: module:function, file.py:function giving an object with loss, score and "
        "score_name.",
        "classification",
    ),
    Flag("num_timesteps", int, _MODEL, "Frames of a sample, where the data leave it open."),
    Flag("max_rate", float, _MODEL, "Spikes per time step of a white pixel, at most 1."),
    Flag("start_from", str, _MODEL, "Checkpoint or file of weights to start from.", "new weights"),
    Flag("epochs", int, _TRAINING, "Passes over the training samples."),
    Flag("batch_size", int, _TRAINING, "Samples in a training step, over all processes."),
    Flag("optimizer", str, _TRAINING, "adam, adamw, sgd, or muon (Adam for what is no matrix)."),
    Flag(
        "learning_rate",
        float,
        _TRAINING,
        "At the start.",
        "0.002; of sgd 0.1; of muon 0.02, of Adam beside it a tenth",
    ),
    Flag(
        "schedule",
        str,
        _TRAINING,
        "How the learning rate goes: cosine to zero; hold (for 70 % of the steps, then linearly to zero); constant.",
    ),
    Flag(
        "readout",
        str,
        _TRAINING,
        "The answer: count (spikes, or the sum of outputs), potential (spikes and what is left in the last "
        "neurons' potential), or auto: the potential where there is one.",
    ),
    Flag(
        "teacher",
        str,
        _TRAINING,
        "Checkpoint of the same model, such as that of a run with --no-budget, whose answers are half of what is "
        "learned.",
        "none",
    ),
    Flag(
        "temperature",
        float,
        _TRAINING,
        "What both answers are divided by before they are compared with a teacher's.",
    ),
    Flag(
        "loss_each_step",
        bool,
        _TRAINING,
        "Loss on the answer (by --readout) after each time step, for early exit.",
    ),
    Flag("seed", int, _TRAINING, "Of weights, order, spike trains and split."),
    Flag(
        "validation_share",
        float,
        _TRAINING,
        "Share of the training samples kept aside to choose the best epoch under the budget.",
    ),
    Flag("check_finite", bool, _TRAINING, "Stop at the first NaN or infinite input of a layer."),
    Flag(
        "synops_per_timestep",
        None,
        _BUDGET,
        "SynOps per time step.",
        "2,000 for each layer that training can change, if nothing else is limited",
    ),
    Flag("synops_per_sample", None, _BUDGET, "SynOps per sample.", "no limit"),
    Flag("energy_j", None, _BUDGET, "Joules per sample; needs --profile.", "no limit"),
    Flag("profile", str, _BUDGET, "Whose joules, such as loihi.", "none"),
    Flag(
        "per",
        str,
        _BUDGET,
        "What one number limits: each layer, each trainable one (whose SynOps training can change), each group, or the "
        "model.",
    ),
    Flag("min_rate", None, _BUDGET, "Least mean spikes per time step of a layer.", "no floor"),
    Flag("highest_rate", None, _BUDGET, "Most mean spikes per time step of a layer.", "no limit"),
    Flag(
        "synapses",
        str,
        _BUDGET,
        "What becomes of connections under a limit: prune, fixed (at random), thin (whole channels), keep.",
        "prune; keep on a chip that spends on zero weights",
    ),
    Flag("trim", bool, _BUDGET, "Scale weights after training until each limit is just kept."),
    Flag("margin", float, _BUDGET, "Share of each bound that training keeps free."),
    Flag(
        "within",
        float,
        _BUDGET,
        "Share of a limit that may be left over; spending less is a miss, too.",
        "any",
    ),
    Flag(
        "exit_synops_per_sample",
        float,
        _BUDGET,
        "After training, stop for each sample when the network is sure of its answer (by --readout), at this many SynOps per "
        "sample on average.",
        "all time steps",
    ),
    Flag("precision", str, _MACHINE, "32-true, bf16-mixed, 16-mixed, 64-true, ..."),
    Flag(
        "accumulate",
        int,
        _MACHINE,
        "Micro-batches that a step is cut into, to save memory. A budget measures each by itself, somewhat more noisily.",
    ),
    Flag("devices", int, _MACHINE, "Processes with a device each; torchrun works, too."),
    Flag("workers", int, _MACHINE, "Processes that load data, for each of those."),
)
_NO_BUDGET, _GROUP, _UNREACHABLE = "no_budget", "group", "unreachable"


def with_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes `**settings` a flag for each setting, but for those that it has itself."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    taken = {parameter.name for parameter in own}
    settings = (_parameter(flag) for flag in FLAGS if flag.name not in taken)
    parameters = [*own, *settings, _group(), _unreachable(), _no_budget()]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def stated_by(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that flags state.

    Raises:
        ValueError: a limit is no number, a group no layers, or limits come with `--no-budget`.
    """
    stated = {name: value for name, value in settings.items() if value is not None}
    groups = stated.pop(_GROUP, None)
    if groups:
        stated["groups"] = parsed_groups(groups)
    if not stated.get(_UNREACHABLE):
        stated.pop(_UNREACHABLE, None)
    without = stated.pop(_NO_BUDGET, False)
    bounds = [flag.name for flag in FLAGS if flag.kind is None and flag.name in stated]
    if without:
        if bounds:
            raise ValueError(f"--no-budget and {_flag(bounds[0])} contradict each other.")
        return stated | {flag.name: None for flag in FLAGS if flag.kind is None}
    for name in bounds:
        try:
            stated[name] = parsed_bound(stated[name])
        except ValueError as error:
            raise ValueError(f"{_flag(name)}: {error}") from None
    return stated


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parameter(flag: Flag) -> inspect.Parameter:
    default = getattr(_DEFAULT, flag.name)
    option = typer.Option(
        help=f"{flag.help} [dim]Default: {flag.default or default}.[/]",
        metavar=_BOUND if flag.kind is None else None,
        show_default=False,
        rich_help_panel=flag.panel,
    )
    return _keyword(flag.name, Annotated[(flag.kind or str) | None, option])


def _group() -> inspect.Parameter:
    option = typer.Option(
        help="Layers that share a limit, under a name that limits can state; may be repeated, as in --group "
        "tail=4,7 --synops-per-timestep tail=6e4.",
        metavar="NAME=LAYER,...",
        show_default=False,
        rich_help_panel=_BUDGET,
    )
    return _keyword(_GROUP, Annotated[list[str] | None, option])


def _unreachable() -> inspect.Parameter:
    option = typer.Option(
        help="Layer or group whose limit or floor may stay broken, so that the rest counts as kept; may be repeated.",
        metavar="NAME",
        show_default=False,
        rich_help_panel=_BUDGET,
    )
    return _keyword(_UNREACHABLE, Annotated[list[str] | None, option])


def _no_budget() -> inspect.Parameter:
    option = typer.Option("--no-budget", help="Train on the task alone.", rich_help_panel=_BUDGET)
    return _keyword(_NO_BUDGET, Annotated[bool, option], default=False)


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
