"""The command line tool, one file a command."""

from __future__ import annotations


def main() -> None:
    """Entry point of `picojoule`."""
    from picojoule.cli.app import app

    app()
