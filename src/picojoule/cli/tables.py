"""The tables of `picojoule train`."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from picojoule.cli.exit_table import exit_table
from picojoule.cli.names import layer_name
from picojoule.printable import printable
from picojoule.training import Measurement, Run
from picojoule.training.record.measure import ACCURACY, shown_score


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
    for name in run.budget.trained.synops_per_timestep:
        counts = [f"{stage.synops_per_timestep[name]:,.0f}" for stage in stages.values()]
        limit = _limit(run, name)
        shown = layer_name(name, run.budget.layer_types.get(name, ""))
        bound = "" if limit is None else f"{limit:,.0f}"
        table.add_row(shown, *counts, bound, _standing(run, name, limited=limit is not None))
    totals = [f"{stage.total_synops_per_timestep:,.0f}" for stage in stages.values()]
    table.add_section()
    table.add_row("total", *totals, "", "")
    return table


def _limit(run: Run, layer: str) -> float | None:
    """SynOps per time step that a layer may spend by itself."""
    limit, per = run.config.synops_per_timestep, run.config.per
    if isinstance(limit, Mapping):
        return limit.get(layer)
    of_each = per == "layer" or (per == "trainable" and layer in run.budget.trained.trainable)
    return limit if of_each else None


def _standing(run: Run, layer: str, *, limited: bool) -> str:
    """Whether a layer keeps its own limit, as the violations have it, and what stands against it."""
    broken = {each.name: each for each in run.budget.trained.broken}
    violation = broken.get(f"synops_per_timestep of {layer}")
    words = ["set by the input"] if layer not in run.budget.trained.trainable else []
    if violation is None:
        words += ["kept"] if limited else []
    else:
        words += ["below" if violation.below else "over"]
        words += ["declared"] if violation.declared else []
    return ", ".join(words)


def _firing_table(run: Run) -> Table:
    stages = _stages(run)
    table = Table(title="Spikes per neuron and time step, and share of silent neurons")
    table.add_column("layer")
    for stage in stages:
        table.add_column(f"{stage}\nmean rate", justify="right")
        table.add_column("\nsilent", justify="right")
    fell = {name: f"silence of {name}" in run.budget.faults for name in run.budget.trained.rates}
    if any(fell.values()):
        table.add_column("")
    for name in run.budget.trained.rates:
        cells = [
            cell
            for measured in stages.values()
            for cell in (f"{measured.mean_rate(name):.4f}", f"{measured.silent_share(name):.2%}")
        ]
        cells += ["fell silent"] if fell[name] else []
        table.add_row(layer_name(name, run.budget.layer_types.get(name, "")), *cells)
    return table


def _verdict(run: Run) -> str:
    score = run.budget.trained.score_name
    lines = [f"Test {score}"]
    for name, stage in _stages(run).items():
        lines.append(f"  {name:<18} {shown_score(stage.accuracy, score):>7}")
    cost = run.accuracy_cost()
    if cost is not None and run.plain is not None:
        own, other = run.budget.trained, run.plain.trained
        changeable = _change(own.synops_of(own.trainable), other.synops_of(own.trainable))
        total = _change(own.total_synops_per_timestep, other.total_synops_per_timestep)
        lines.append(
            f"With the budget: {_gain(cost, score)}, {changeable} SynOps in "
            f"the layers that training can change ({total} in all)."
        )
    return "\n".join([*lines, *_choice(run), *_kept(run), *_faults(run)])


def _gain(cost: float, score: str) -> str:
    if score == ACCURACY:
        return f"{0.0 - cost * 100:+.2f} points of accuracy"
    return f"{0.0 - cost:+.4g} of {score}"


def _change(own: float, other: float) -> str:
    return f"{own / other - 1:+.0%}" if other else f"{own:,.0f} after {other:,.0f}"


def _choice(run: Run) -> list[str]:
    history = run.budget.history
    if not history.validation:
        return []
    if history.chosen_epoch is None:
        return [
            "No epoch kept what can be kept of the budget on the validation samples; this is the last."
        ]
    return [f"The best epoch under the budget, by the validation samples: {history.chosen_epoch}."]


def _kept(run: Run) -> list[str]:
    """Whether the budget is kept on the test set, and what of it is not and why."""
    if not run.config.has_budget:
        return []
    if not run.config.bounds_any(run.budget.trained.trainable):
        return [
            "No limit was set, so there is no budget to keep: no layer behind spikes has weights that are trained."
        ]
    declared = [f"  {each}" for each in run.budget.trained.broken if each.declared]
    broken = [f"  {each}" for each in run.budget.trained.broken if not each.declared]
    if broken:
        lines = ["The budget is not kept on the test set:", *broken, *_way_out(run)]
    else:
        lines = [f"The budget is kept on the test set{', but for:' if declared else '.'}"]
    return [*lines, *declared, *_fixed(run)]


def _fixed(run: Run) -> list[str]:
    """What the layers spend that a limit on each layer leaves out, as no training can change it."""
    trained = run.budget.trained
    synops = trained.synops_per_timestep
    fixed = [name for name in synops if name not in trained.trainable and synops[name]]
    if run.config.per != "trainable" or not fixed:
        return []
    types = run.budget.layer_types
    names = [layer_name(name, types.get(name, "")).plain for name in fixed]
    of_all = f"Layer {names[0]} spends" if len(names) == 1 else f"Layers {', '.join(names)} spend"
    spent = f"{trained.synops_of(fixed):,.0f} SynOps per time step"
    return [
        f"{of_all} {spent}, set by the input: training cannot change that, and no limit is on it."
    ]


def _way_out(run: Run) -> list[str]:
    """What to do about what no training can meet."""
    hopeless = [each.name for each in run.budget.trained.broken if each.why and not each.declared]
    return (
        [f"  What may stay broken is declared: --unreachable {hopeless[0]!r}."] if hopeless else []
    )


def _faults(run: Run) -> list[str]:
    """What makes the network useless, whatever it spends."""
    found = [f"  {sentence}" for sentence in run.budget.faults.values()]
    return ["The network is of no use as it is:", *found] if found else []
