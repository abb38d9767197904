"""What a Monitor counts of several passes of a model."""

from __future__ import annotations

import warnings
from typing import Any, Literal

from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops.watch.checks import MonitorWarning


def each_pass(
    model: nn.Module, *inputs: Tensor, doubts: Literal["error", "ignore"] = "ignore", **options: Any
) -> list[tuple[float, float]]:
    """SynOps and MACs of each pass, over all samples and steps."""
    found = []
    with warnings.catch_warnings(), Monitor(model, **options) as monitor:
        warnings.simplefilter(doubts, MonitorWarning)
        for x in inputs:
            model(x)
            report = monitor.report()
            each = report.synops_per_sample, report.macs_per_sample
            found.append((each[0] * report.samples, each[1] * report.samples))
    return found
