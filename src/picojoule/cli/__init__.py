"""The command line tool, one file a command."""

from __future__ import annotations

import os
import sys

_OUTLINED = {"--help", "--version", "--install-completion", "--show-completion"}


def main() -> None:
    """Entry point of `picojoule`.

    What needs no command's code, such as TAB, is answered by the outline, which does not wait for PyTorch.
    """
    completing = any(name.endswith("_COMPLETE") and "PICOJOULE" in name for name in os.environ)
    if completing or set(sys.argv[1:2]) <= _OUTLINED:
        from picojoule.cli.outline import outline

        outline()()
    else:
        from picojoule.cli.app import app

        app()
