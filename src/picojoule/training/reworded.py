"""An error in other words."""

from __future__ import annotations


def reworded(error: Exception, words: str) -> Exception:
    """An error of the same kind that says `words`; raise it `from` the one that it stands for.

    A class that cannot be made of words alone, as that of JSON or of Unicode, is left for the nearest of its bases
    that can.

    Args:
        error: what was raised.
        words: what to say.

    Example:
        >>> import json
        >>> try:
        ...     json.loads("{")
        ... except ValueError as error:
        ...     reworded(error, "settings.json is no JSON.")
        ValueError('settings.json is no JSON.')
    """
    for kind in type(error).__mro__:
        try:
            made = kind(words)
        except TypeError:
            continue
        if isinstance(made, Exception) and str(made) == words:
            return made
    return RuntimeError(words)
