"""A report as plain values, and these as JSON, which has no NaN and no infinity."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from picojoule.report.conventions import CONVENTIONS, convention_count
from picojoule.report.record import Record

_TOTALS = (
    "synops_per_timestep",
    "synops_per_sample",
    "macs_per_sample",
    "macs_one_pass",
    "biases_per_sample",
    "neuron_updates_per_sample",
)


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


def report_values(record: Record) -> dict[str, Any]:
    """Rows, totals and units of a report as plain Python values."""
    content: dict[str, Any] = {
        "model": record.model,
        "samples": record.samples,
        "num_timesteps": record.num_timesteps,
        "warnings": list(record.warnings),
        "layers": [asdict(row) | {"input": row.input} for row in record.rows],
        "totals": {name: getattr(record, name) for name in _TOTALS},
    }
    if record.conventions.counts:
        counts = (convention_count(record, name) for name in CONVENTIONS)
        content["conventions"] = {
            each.convention: {
                "synops_per_sample": each.synops_per_sample,
                "macs_per_sample": each.macs_per_sample,
                "not_reproduced": list(each.not_reproduced),
            }
            for each in counts
        }
    return content
