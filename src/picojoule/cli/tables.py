"""The tables of `picojoule train`."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from picojoule.cli.exit_table import exit_table
from picojoule.cli.names import layer_name
from picojoule.printable import printable
from picojoule.training import Measurement, Run


def print_run(run: Run, console: Console | None = None) -> None:
    """Print what each layer spends, how it fires, and what that costs in accuracy."""
    console = console or Console()
    console.print(_synops_table(run))
    if run.budget.trained.rates:
        console.print(_firing_table(run))
    exits = exit_table(run)
    if exits is not None:
        console.print(exits)
    console.print(printable(_verdict(run)), highlight=False, markup=False, soft_wrap=True)


def _stages(run: Run) -> dict[str, Measurement]:
    stages = {"untrained": run.budget.untrained}
    if run.plain is not None:
        stages["without budget"] = run.plain.trained
    return {**stages, "trained": run.budget.trained}


def _synops_table(run: Run) -> Table:
    stages = _stages(run)
    table = Table(title="Synaptic operations per time step, mean over the test set")
    table.add_column("layer")
    for stage in stages:
        table.add_column(stage, justify="right")
    table.add_column("limit", justify="right")
    table.add_column("")
    trained = run.budget.trained
    for name, spent in trained.synops_per_timestep.items():
        counts = [f"{stage.synops_per_timestep[name]:,.0f}" for stage in stages.values()]
        limit = _limit(run, name)
        shown = layer_name(name, run.budget.layer_types.get(name, ""))
        if name not in trained.trainable:
            table.add_row(shown, *counts, "", "set by the input")
        elif limit is None:
            table.add_row(shown, *counts, "", "")
        else:
            table.add_row(shown, *counts, f"{limit:,.0f}", "over" if spent > limit else "kept")
    totals = [f"{stage.total_synops_per_timestep:,.0f}" for stage in stages.values()]
    table.add_section()
    table.add_row("total", *totals, "", "")
    return table


def _limit(run: Run, layer: str) -> float | None:
    """SynOps per time step that a layer may spend by itself."""
    limit = run.config.synops_per_timestep
    if isinstance(limit, Mapping):
        return limit.get(layer)
    return limit if run.config.per == "layer" else None


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
        table.add_row(layer_name(name, run.budget.layer_types.get(name, "")), *cells)
    return table


def _verdict(run: Run) -> str:
    lines = ["Test accuracy"]
    lines += [f"  {name:<18} {stage.accuracy:7.2%}" for name, stage in _stages(run).items()]
    cost = run.accuracy_cost()
    if cost is not None and run.plain is not None:
        own, other = run.budget.trained, run.plain.trained
        changeable = _change(own.synops_of(own.trainable), other.synops_of(own.trainable))
        total = _change(own.total_synops_per_timestep, other.total_synops_per_timestep)
        lines.append(
            f"With the budget: {0.0 - cost * 100:+.2f} points of accuracy, {changeable} SynOps in "
            f"the layers that training can change ({total} in all)."
        )
    return "\n".join([*lines, *_choice(run), *_kept(run)])


def _change(own: float, other: float) -> str:
    return f"{own / other - 1:+.0%}" if other else f"{own:,.0f} after {other:,.0f}"


def _choice(run: Run) -> list[str]:
    history = run.budget.history
    if not history.validation:
        return []
    if history.chosen_epoch is None:
        return ["No epoch kept the budget on the validation samples; this is the last one."]
    return [f"The best epoch under the budget, by the validation samples: {history.chosen_epoch}."]


def _kept(run: Run) -> list[str]:
    """Whether the budget is kept on the test set, and what of it nothing can keep."""
    fit = run.budget
    if not run.config.has_budget:
        return []
    over = [str(violation) for violation in fit.trained.broken if not violation.why]
    impossible = [*fit.unreachable.values(), *fit.infeasible.values()]
    kept = "The budget is kept on the test set"
    if over:
        return ["Not kept on the test set:", *(f"  {each}" for each in over)]
    return (
        [f"{kept}, but for:", *(f"  {each}" for each in impossible)] if impossible else [f"{kept}."]
    )
