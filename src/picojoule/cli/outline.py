"""The commands without what they do: their names, options and help, from a table and so without PyTorch.

`offered.json` is that table; `python tools/completion_table.py` writes it, and a test holds it to the commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from picojoule.cli.completion import complete_model, complete_profile, complete_run, table
from picojoule.cli.root import root

COMPLETERS = {"model": complete_model, "profile": complete_profile, "run": complete_run}


def outline() -> typer.Typer:
    """`picojoule`, to be asked for help, for its version, and for what TAB offers."""
    app = root()
    for name, command in table()["commands"].items():
        app.command(name, help=command["help"])(_nothing_with(command["parameters"]))
    return app


def _nothing_with(rows: list[dict[str, Any]]) -> Callable[..., None]:
    def nothing(**_: Any) -> None:
        """Only the table's options are of use."""

    parameters = [_parameter(row) for row in rows]
    nothing.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return nothing


def _parameter(row: dict[str, Any]) -> inspect.Parameter:
    shown: dict[str, Any] = {"help": row["help"], "hidden": row["hidden"]}
    shown["autocompletion"] = COMPLETERS.get(row["offers"]) or offering(row["words"])
    kind: Any = bool if row["is_switch"] else str
    kind = list[kind] if row["is_repeated"] else kind
    info = typer.Argument(**shown) if row["is_argument"] else typer.Option(*row["flags"], **shown)
    return inspect.Parameter(
        row["name"],
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, info],
    )


def offering(words: list[str]) -> Callable[[str], list[str]] | None:
    """What a shell offers: the words that begin as typed; None without words."""
    return (lambda incomplete: [w for w in words if w.startswith(incomplete)]) if words else None
