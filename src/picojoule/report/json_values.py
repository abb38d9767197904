"""Plain values as JSON, which has no NaN and no infinity."""

from __future__ import annotations

import json
import math
from typing import Any


def as_json(content: Any, indent: int | None = None) -> str:
    """JSON of dicts, lists, words and numbers; null for a number that is not finite.

    Example:
        >>> as_json({"rate": float("nan"), "steps": [1, 2.5]})
        '{"rate": null, "steps": [1, 2.5]}'
    """
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
