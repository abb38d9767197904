"""Whether pictures can be drawn: found out before a run, not after it."""

from __future__ import annotations

from picojoule.extras import extra


def why_no_pictures() -> str | None:
    """A sentence that says what is missing and how to get it; None if all is there."""
    try:
        with extra("plot"):
            import matplotlib.figure  # noqa: F401
    except ImportError as error:
        return f"there will be no pictures: {error}. Everything else is done and kept."
    return None
