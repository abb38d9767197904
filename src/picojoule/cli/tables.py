"""The tables of `picojoule train`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from picojoule.training import Measurement, Run


def print_run(run: Run, console: Console | None = None) -> None:
    """Print what each layer spends, how it fires, and what that costs in accuracy."""
    console = console or Console()
    console.print(_synops_table(run))
    console.print(_firing_table(run))
    console.print(_verdict(run), highlight=False, soft_wrap=True)


def _stages(run: Run) -> dict[str, Measurement]:
    stages = {"untrained": run.budget.untrained}
    if run.plain is not None:
        stages["without the terms"] = run.plain.trained
    return {**stages, "trained": run.budget.trained}


def _synops_table(run: Run) -> Table:
    stages = _stages(run)
    table = Table(title="Synaptic operations per time step, mean over the test images")
    table.add_column("layer")
    for stage in stages:
        table.add_column(stage, justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    trained, over = run.budget.trained, run.over_target()
    for name in trained.synops_per_timestep:
        counts = [f"{stage.synops_per_timestep[name]:,.0f}" for stage in stages.values()]
        if name not in trained.trainable:
            table.add_row(name, *counts, "", "set by the input")
        else:
            kept = "over" if name in over else "kept"
            table.add_row(name, *counts, f"{run.config.synops_target:,.0f}", kept)
    totals = [f"{stage.total_synops_per_timestep:,.0f}" for stage in stages.values()]
    table.add_section()
    table.add_row("total", *totals, "", "")
    return table


def _firing_table(run: Run) -> Table:
    stages = _stages(run)
    table = Table(title="Spikes per neuron and time step, and share of silent neurons")
    table.add_column("layer")
    for stage in stages:
        table.add_column(f"{stage}\nmean rate", justify="right")
        table.add_column("\nsilent", justify="right")
    for name in run.budget.trained.rates:
        cells = []
        for measured in stages.values():
            cells += [f"{measured.mean_rate(name):.4f}", f"{measured.silent_share(name):.2%}"]
        table.add_row(name, *cells)
    return table


def _verdict(run: Run) -> str:
    lines = ["Test accuracy"]
    lines += [f"  {name:<18} {stage.accuracy:7.2%}" for name, stage in _stages(run).items()]
    cost = run.accuracy_cost()
    if cost is not None and run.plain is not None:
        own, other = run.budget.trained, run.plain.trained
        changeable = own.synops_of(own.trainable) / other.synops_of(own.trainable) - 1
        total = own.total_synops_per_timestep / other.total_synops_per_timestep - 1
        lines.append(
            f"With the SynOps and rate terms: {-cost * 100:+.2f} points of accuracy, {changeable:+.0%} SynOps in "
            f"the layers that training can change ({total:+.0%} in all)."
        )
    over = run.over_target()
    lines.append(
        f"Over the target: layers {', '.join(over)}."
        if over
        else "Every layer that training can change keeps its target."
    )
    return "\n".join(lines)
