"""The settings of a training run as flags: a line for each, in groups as `--help` shows them."""

# More than 250 lines: a table of the flags, a few lines each.

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, NamedTuple, get_args

import typer

from picojoule.cli.completion import complete_model, complete_profile
from picojoule.cli.failure import as_flag
from picojoule.cli.flag_values import parsed_bound, parsed_groups
from picojoule.training.settings.bounds import BOUNDS
from picojoule.training.settings.config import TrainConfig, setting_choices, setting_types
from picojoule.training.settings.saved import RENAMED

FILES = "Run and files"
_MODEL, _TRAINING, _BUDGET, _MACHINE = "Model and data", "Training", "Budget", "Machine"
# beside options with long names there is no room for those that turn off
_TRAINING_SWITCHES, _BUDGET_SWITCHES = "Training, on or off", "Budget, on or off"
_DEFAULT = TrainConfig()

Command = Callable[..., None]


class Flag(NamedTuple):
    """One setting; its type and the words that it may be are those of :class:`TrainConfig`.

    Args:
        name: as there.
        panel: heading in the help.
        help: what it is.
        default: in words; None shows the configuration's.
    """

    name: str
    panel: str
    help: str
    default: str | None = None


FLAGS = (
    Flag("model", _MODEL, "lenet, recurrent, or your own: module:function, file.py:function."),
    Flag(
        "data",
        _MODEL,
        "Folder of images or events, saccade, saccade:FOLDER, or your own: module:function, file.py:function "
        "giving (train, test).",
        "bundled images",
    ),
    Flag(
        "task",
        _MODEL,
        "What to learn, if not classes: module:function, file.py:function giving an object with loss, score and "
        "score_name.",
        "classification",
    ),
    Flag("num_timesteps", _MODEL, "Frames of a sample, where the data leave it open."),
    Flag("pixel_rate", _MODEL, "Spikes per time step of a white pixel, at most 1."),
    Flag("start_from", _MODEL, "Checkpoint or file of weights to start from.", "new weights"),
    Flag("epochs", _TRAINING, "Passes over the training samples."),
    Flag("batch_size", _TRAINING, "Samples in a training step, over all processes."),
    Flag("optimizer", _TRAINING, "What steps the weights; muon has Adam for what is no matrix."),
    Flag(
        "learning_rate",
        _TRAINING,
        "At the start.",
        "0.002; of sgd 0.1; of muon 0.02, or 14.4 / steps in more than 720 steps, of Adam beside it a tenth",
    ),
    Flag(
        "schedule",
        _TRAINING,
        "How the learning rate goes: along a cosine to zero, or held for 70 % of the steps and then linearly to zero.",
    ),
    Flag(
        "readout",
        _TRAINING,
        "The answer: the count of spikes (or sum of outputs), or with what is left in the last neurons' potential; "
        "auto is the potential where there is one.",
    ),
    Flag(
        "teacher",
        _TRAINING,
        "Checkpoint of the same model, such as that of a run with --no-budget, whose answers are half of what is "
        "learned.",
        "none",
    ),
    Flag(
        "temperature",
        _TRAINING,
        "What both answers are divided by before they are compared with a teacher's.",
    ),
    Flag(
        "loss_each_step",
        _TRAINING_SWITCHES,
        "Loss on the answer (by --readout) after each time step, for early exit.",
    ),
    Flag(
        "time_steps_per_stage",
        _TRAINING,
        "Time steps of the network's stages in a training step; a random number for each, for asynchronous, event-driven "
        "execution.",
    ),
    Flag("seed", _TRAINING, "Of weights, order, spike trains and split."),
    Flag(
        "validation_share",
        _TRAINING,
        "Share of the training samples kept aside to choose the best epoch under the budget.",
    ),
    Flag("check_finite", _TRAINING_SWITCHES, "Stop at the first NaN or infinite input of a layer."),
    Flag(
        "synops_per_timestep",
        _BUDGET,
        "SynOps per time step.",
        "2,000 for each layer that training can change, if nothing else is limited",
    ),
    Flag("synops_per_sample", _BUDGET, "SynOps per sample.", "no limit"),
    Flag("energy_j", _BUDGET, "Joules per sample; needs --profile.", "no limit"),
    Flag("profile", _BUDGET, "Whose joules, such as loihi.", "none"),
    Flag(
        "per",
        _BUDGET,
        "What one number limits; trainable is each layer whose SynOps training can change.",
    ),
    Flag("min_rate", _BUDGET, "Least mean spikes per time step of a layer.", "no floor"),
    Flag("max_rate", _BUDGET, "Most mean spikes per time step of a layer.", "no limit"),
    Flag(
        "synapses",
        _BUDGET,
        "What becomes of connections under a limit; fixed ones are drawn at random, thin takes whole channels.",
        "prune; keep on a chip that spends on zero weights",
    ),
    Flag("trim", _BUDGET_SWITCHES, "Scale weights after training until each limit is just kept."),
    Flag("margin", _BUDGET, "Share of each bound that training keeps free."),
    Flag(
        "within",
        _BUDGET,
        "Share of a limit that may be left over; spending less is a miss, too.",
        "any",
    ),
    Flag(
        "exit_synops_per_sample",
        _BUDGET,
        "After training, stop for each sample when the network is sure of its answer (by --readout), at this many SynOps per "
        "sample on average.",
        "all time steps",
    ),
    Flag("precision", _MACHINE, "Of numbers, as Lightning Fabric calls it."),
    Flag(
        "accumulate",
        _MACHINE,
        "Micro-batches that a step is cut into, to save memory. A budget measures each by itself, somewhat more noisily.",
    ),
    Flag("devices", _MACHINE, "Processes with a device each; torchrun works, too."),
    Flag("workers", _MACHINE, "Processes that load data, for each of those."),
)
_OFFERED = {"model": complete_model, "profile": complete_profile}
_NO_BUDGET, _GROUP, _UNREACHABLE = "no_budget", "group", "unreachable"


def with_flags(without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Give a command that takes `**settings` a flag for each setting, but for those that it has itself.

    Args:
        without: settings that get none.
    """

    def of(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        left_out = {*without, *(parameter.name for parameter in own)}
        flags = [flag for flag in _all_flags() if flag.name not in left_out]
        # typer reads flags off a signature and knows no group of them that two commands share
        command.__signature__ = signature.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]
        return command

    return of


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
    bounds = [name for name in BOUNDS if name in stated]
    if without:
        if bounds:
            raise ValueError(
                f"--no-budget and {as_flag(bounds[0])} contradict each other. Leave one of them out."
            )
        return stated | dict.fromkeys(BOUNDS)
    for name in bounds:
        try:
            stated[name] = parsed_bound(stated[name])
        except ValueError as error:
            raise ValueError(f"{as_flag(name)}: {error}") from None
    return stated


def _all_flags() -> list[inspect.Parameter]:
    before = [name for name in RENAMED if name not in setting_types()]
    return [
        *map(_setting, FLAGS),
        *map(_renamed, before),
        _keyword(
            _GROUP,
            list[str],
            "Layers that share a limit, under a name that limits can state; may be repeated, as in --group "
            "tail=4,7 --synops-per-timestep tail=6e4.",
            metavar="NAME=LAYER,...",
        ),
        _keyword(
            _UNREACHABLE,
            list[str],
            "Layer or group whose limit or floor may stay broken, so that the rest counts as kept; may be repeated.",
            metavar="NAME",
        ),
        _keyword(
            _NO_BUDGET, bool, "Train on the task alone.", "--no-budget", panel=_BUDGET_SWITCHES
        ),
    ]


def _setting(flag: Flag) -> inspect.Parameter:
    words = ", ".join(filter(None, setting_choices().get(flag.name, ())))
    one_of = f"One of {words}. " if words else ""
    default = f"Default: {flag.default or getattr(_DEFAULT, flag.name)}."
    metavar = "N | LAYER=N,..." if flag.name in BOUNDS else None
    text = f"{flag.help} [dim]{one_of}{default}[/]"
    offered = _OFFERED.get(flag.name) or _one_of(filter(None, setting_choices().get(flag.name, ())))
    shown: dict[str, Any] = {"panel": flag.panel, "metavar": metavar, "autocompletion": offered}
    return _keyword(flag.name, _kind(flag.name), text, **shown)


def _one_of(words: Iterable[str]) -> Callable[[str], list[str]] | None:
    """What a shell offers: the words that begin as typed; None without words."""
    known = list(words)
    return (lambda incomplete: [w for w in known if w.startswith(incomplete)]) if known else None


def _kind(name: str) -> type:
    """What a flag's value is taken for: a number where the setting is nothing else, or a text."""
    own = setting_types()[name]
    kinds = {own, *get_args(own)} if name not in BOUNDS else set()
    return next((kind for kind in (bool, int, float) if kind in kinds), str)


def _renamed(name: str) -> inspect.Parameter:
    """A flag of an earlier version, which leads to the error that names the new one."""
    return _keyword(name, str, "", hidden=True)


def _keyword(
    name: str, kind: Any, text: str, *declared: str, panel: str = _BUDGET, **shown: Any
) -> inspect.Parameter:
    option = typer.Option(*declared, help=text, rich_help_panel=panel, show_default=False, **shown)
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )
