"""Commands in a page: `%%bash` in a temporary folder, its output in one piece, and an error where a command fails.

    import sys

    sys.path.insert(0, "../_ext")
    %load_ext shell

Commands find the programs of the Python that builds the site.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_COLOURS = ("CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR")  # a page has none
_FOLDER = tempfile.TemporaryDirectory()  # goes when the page is done


def bash(_: str, cell: str) -> None:
    """Run the cell; both streams are shown in their order."""
    outside = {name: os.environ[name] for name in os.environ if name not in _COLOURS}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603  (a page says what)
        ["bash", "-e", "-c", cell],  # noqa: S607
        env={**outside, "PATH": programs, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(ran.stdout.replace(f"{_FOLDER.name}/", ""), end="")
    if ran.returncode:
        raise RuntimeError(f"exit status {ran.returncode}")


def load_ipython_extension(ipython: Any) -> None:
    """Go to the folder; `%%bash` is ours from here on."""
    os.chdir(_FOLDER.name)
    ipython.register_magic_function(bash, "cell", "bash")
