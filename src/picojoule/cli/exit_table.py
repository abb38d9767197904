"""What early exit saves, as `picojoule train` shows it."""

from __future__ import annotations

from rich.table import Table

from picojoule.training import Run
from picojoule.training.record.exit_measurement import ExitMeasurement


def exit_table(run: Run) -> Table | None:
    """Accuracy, time steps and SynOps of a sample on the test set, beside those without exit; None if not asked for."""
    measured, full = run.budget.exits, run.budget.trained
    if measured is None:
        return None
    table = Table(title="Early exit, mean over the test set", caption=_caption(measured))
    table.add_column("")
    for column in ("accuracy", "time steps", "SynOps per sample", "budget"):
        table.add_column(column, justify="right")
    spent = full.total_synops_per_timestep * full.num_timesteps
    table.add_row(
        "all steps", f"{full.accuracy:.2%}", f"{full.num_timesteps:.2f}", f"{spent:,.0f}", ""
    )
    if measured.tested is not None:
        own = measured.tested
        table.add_row(
            "early exit",
            f"{own.accuracy:.2%}",
            f"{own.exit_step:.2f}",
            f"{own.synops_per_sample:,.0f}",
            f"{measured.synops_per_sample:,.0f}",
        )
    return table


def _caption(measured: ExitMeasurement) -> str:
    if measured.excess is None:
        return measured.why
    return (
        f"{_rule(measured)}; set on {measured.samples:,} {measured.set_on} samples. The test set is "
        f"{measured.excess:+.1%} off the budget."
    )


def _rule(measured: ExitMeasurement) -> str:
    last = f"step {measured.last_step}" if measured.last_step else "the last step"
    if measured.threshold is None:
        return f"All samples stop after {last}"
    sure = {
        "entropy": f"the entropy of its answer is {measured.threshold:.4g} of the highest or less",
        "margin": f"its first class leads by {measured.threshold:.4g}",
    }
    return f"A sample stops when {sure[measured.sure]}, or after {last}"
