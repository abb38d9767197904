"""The command line tool, one file a command."""

from __future__ import annotations

from picojoule.extras import extra


def main() -> None:
    """Entry point of `picojoule`."""
    try:
        with extra("train,plot"):
            from picojoule.cli.app import app
    except ImportError as error:
        raise SystemExit(f"picojoule: {error}") from None
    app()
