"""Files of JSON that we wrote, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: str | Path, advice: str) -> dict[str, Any]:
    """The names and values in a file.

    Args:
        path: the file.
        advice: what to do if it is damaged.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds no names with values.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "report.json"
        >>> _ = file.write_text('{"epochs": 3}')
        >>> read_json(file, "Remove it.")
        {'epochs': 3}
    """
    content = Path(path).read_bytes()
    try:
        values: Any = json.loads(content.decode())
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8 too
        raise ValueError(f"{path} is damaged ({error}). {advice}") from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} is damaged (it holds a {type(values).__name__}, expected names with values). {advice}"
        )
    return values
