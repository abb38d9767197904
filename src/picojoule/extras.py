"""Optional packages, imported where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around imports of an extra's packages: says how to get them if they are missing.

    Args:
        name: the extra in `pip install 'picojoule[name]'`.

    Raises:
        ImportError: a package is missing; the message names the extra.

    Example:
        >>> with extra("plot"):
        ...     import a_missing_package
        Traceback (most recent call last):
        ImportError: a_missing_package is not installed; pip install 'picojoule[plot]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{error.name} is not installed; pip install 'picojoule[{name}]'", name=error.name
        ) from error
