"""Write src/picojoule/cli/offered.json: commands, options, profiles and models as a shell's TAB offers them.

    python tools/completion_table.py

Run it after a change to a command's options or to the profiles; a test compares.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer

from picojoule.cli.app import COMMANDS, in_paragraphs
from picojoule.cli.completion import TABLE
from picojoule.cli.outline import COMPLETERS
from picojoule.energy import memories, profiles
from picojoule.training.files.run_folder import CONFIG
from picojoule.training.networks.factories import BUILT_IN


def table() -> dict[str, Any]:
    """All that the outline of the commands is made of."""
    chips = [each for each in profiles() if each.has_joules()]
    return {
        "profiles": [each.name for each in chips],
        "bare": [each.name for each in chips if each.arithmetic_only],
        "memories": [each.name for each in memories()],
        "models": [*BUILT_IN],
        "settings_of_a_run": CONFIG,
        "commands": {each.__name__: _command(each) for each in COMMANDS},
    }


def _command(function: Callable[..., None]) -> dict[str, Any]:
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return {"help": in_paragraphs(function), "parameters": [*map(_row, parameters)]}


def _row(parameter: inspect.Parameter) -> dict[str, Any]:
    kind, shown = get_args(parameter.annotation)
    kinds = [*_kinds(kind)]
    names = {function: name for name, function in COMPLETERS.items()}
    completer = shown.autocompletion
    offered = completer("") if completer is not None and completer not in names else ()
    return {
        "name": parameter.name,
        "is_argument": isinstance(shown, typer.models.ArgumentInfo),
        "flags": _flags(shown),
        "help": shown.help,
        "hidden": shown.hidden,
        "is_switch": bool in kinds,
        "is_repeated": any(get_origin(each) is list for each in _alternatives(kind)),
        "words": [*offered, *(word for each in kinds for word in _words(each))],
        "offers": names.get(completer),
    }


def _flags(shown: Any) -> list[str]:
    """As they are declared; within Annotated typer takes the first for a default, until it looks closer."""
    first = [] if shown.default is ... else [shown.default]
    return [*first, *(shown.param_decls or ())]


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _kinds(kind: Any) -> list[Any]:
    """What a value may be, of a list what each may be."""
    return [get_args(each)[0] if get_origin(each) is list else each for each in _alternatives(kind)]


def _words(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [*get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [each.value for each in kind]
    return []


def written() -> str:
    """The table as it stands in the file."""
    return json.dumps(table(), indent=1) + "\n"


if __name__ == "__main__":
    TABLE.write_text(written())
    print(f"{TABLE}: {len(TABLE.read_text()):,} letters")
