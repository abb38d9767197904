"""What a shell offers behind an option when TAB is pressed; a folder or a file is left to the shell.

It is asked at each TAB, so nothing here waits for PyTorch: the names are those of a table.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("offered.json")
_RUNS = Path("runs")  # where `picojoule train` puts them by default


@cache
def table() -> dict[str, Any]:
    """What `python tools/completion_table.py` has written of commands, profiles and models."""
    found: dict[str, Any] = json.loads(TABLE.read_text())
    return found


def complete_profile(incomplete: str) -> list[str]:
    """Names of profiles; behind a plus those with a memory.

    Example:
        >>> complete_profile("loi"), complete_profile("45nm-int8+s")
        (['loihi', 'loihi-routed'], ['45nm-int8+step', '45nm-int8+sram-8kb', '45nm-int8+sram-32kb', '45nm-int8+sram-1mb'])
    """
    names = table()["profiles"]
    if "+" in incomplete:
        names = [f"{name}+{memory}" for name in table()["bare"] for memory in table()["memories"]]
    return [name for name in names if name.startswith(incomplete.lower())]


def complete_model(incomplete: str) -> list[str]:
    """The built-in models, files of Python up to their colon, and .nir files, from where one is.

    Example:
        >>> complete_model("len")
        ['lenet']
    """
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    begin = "./" if incomplete.startswith("./") and folder == Path() else ""
    here = sorted(folder.iterdir()) if folder.is_dir() else []
    endings = {".py": ":", ".nir": ""}
    files = [f"{begin}{each}{endings[each.suffix]}" for each in here if each.suffix in endings]
    folders = [f"{begin}{each}/" for each in here if each.is_dir() and each.name[0] not in "._"]
    return [e for e in (*table()["models"], *files, *folders) if e.startswith(incomplete)]


def complete_run(incomplete: str) -> list[str]:
    """The same, and the folders of runs below `runs`."""
    runs = sorted(str(each.parent) for each in _RUNS.glob(f"*/{table()['settings_of_a_run']}"))
    others = [each for each in complete_model(incomplete) if each.removesuffix("/") not in runs]
    return [*(each for each in runs if each.startswith(incomplete)), *others]
