"""All that a simulation found, in each of the forms of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from picojoule.cli.flag_values import one_or_several
from picojoule.cli.peaks import Limit, Peaks, per_second
from picojoule.cli.report_file import Format, rendered
from picojoule.cli.simulated_run import Simulation
from picojoule.events import Gap
from picojoule.plots import as_png, plot_over_time
from picojoule.report.document import Document, Table, count, document
from picojoule.report.energy_tables import with_energy
from picojoule.report.json_values import as_json, energy_values
from picojoule.report.pictures import page_pictures

_MOST_LINES = 8  # of a panel


@dataclass(frozen=True)
class Found:
    """What is reported.

    Args:
        run: what was counted.
        settings: how it ran, for JSON.
        how: the same in words.
        dt_us: length of a time step; None if nobody said it.
        window_steps: of the peaks.
        peaks: None without `dt_us`.
        gap: None if it was not asked for.
        limit: as it was stated.
    """

    run: Simulation
    settings: dict[str, Any]
    how: str
    dt_us: int | None
    window_steps: int
    peaks: Peaks | None
    gap: Gap | None
    limit: Limit

    def written(self, form: Format, profiles: list[str], *, pictures: bool) -> str:
        """The report in that form."""
        if form == Format.json:
            return self._json(profiles)
        drawn = self._page_pictures(profiles) if form == Format.html and pictures else None
        return rendered(self._document(profiles), form, drawn)

    def draw(self, path: Any = None) -> Any:
        """Events in and out, and SynOps with the limit, over the time of the worst sample."""
        sample = 0 if self.peaks is None else self.peaks.network.sample
        run, dt_s = self.run, None if self.dt_us is None else self.dt_us / 1e6
        events = {"in": run.events_in[sample]}
        if run.events_out is not None:
            events["out"] = run.events_out[sample]
        samples = len(run.events_in)
        return plot_over_time(
            events,
            self._lines(sample),
            path,
            dt_s=dt_s,
            limits=self._limits(),
            window_s=None if self.peaks is None else self.peaks.window_s,
            title=f"{self.run.report.model}, {self.how}"
            + (f", sample {sample} of {samples}" if samples > 1 else ""),
        )

    def _lines(self, sample: int) -> dict[str, Tensor]:
        """SynOps over time: of the layers that spend most, or of the network where it is what is limited."""
        synops = {name: counts[sample : sample + 1] for name, counts in counted(self.run).items()}
        labels = {row.name: row.label for row in self.run.report.rows}
        total = sum(synops.values())
        most = sorted(synops, key=lambda name: -float(synops[name].sum()))[:_MOST_LINES]
        lines = {labels[name]: each for name, each in synops.items() if name in most}
        of_network = self.peaks is not None and self.peaks.network.limit is not None
        if of_network or len(synops) > _MOST_LINES:
            lines = {"network": total, **({} if of_network else lines)}  # type: ignore[dict-item]
        if self.dt_us is None:
            return {name: each[0] for name, each in lines.items()}
        dt_s = self.dt_us / 1e6
        return {name: per_second(each, self.window_steps, dt_s)[0] for name, each in lines.items()}

    def _limits(self) -> Limit:
        """By what the lines are called."""
        if not isinstance(self.limit, Mapping):
            return self.limit
        return {
            row.label: self.limit[row.name]
            for row in self.run.report.rows
            if row.name in self.limit
        }

    def _document(self, profiles: list[str]) -> Document:
        report = self.run.report
        found = with_energy(document(report), report, profiles)
        tables = [*found.tables, self._events_table()]
        if self.peaks is not None:
            tables.append(self.peaks.table())
        if self.gap is not None:
            tables.append(self.gap.table("From PyTorch to a chip"))
        return replace(found, tables=tuple(tables))

    def _events_table(self) -> Table:
        run = self.run
        rows = [("in", count(_per_sample(run.events_in)))]
        if run.events_out is not None:
            rows.append((f"out, of {run.output or '(model)'}", count(_per_sample(run.events_out))))
        lost = len(run.events_in)
        rows += [
            (f"lost in front of a full queue, of {name}", count(n / lost))
            for name, n in run.dropped.items()
        ]
        return Table(f"Events, {self.how}", ("events", "per sample"), 1, tuple(rows))

    def _json(self, profiles: list[str]) -> str:
        report, run = self.run.report, self.run
        content = report.to_dict()
        if profiles:
            content["energy_j"] = energy_values(report, one_or_several(profiles))
        content["simulation"] = self.settings | {
            "dt_us": self.dt_us,
            "events_in_per_sample": _per_sample(run.events_in),
            "events_out_per_sample": None
            if run.events_out is None
            else _per_sample(run.events_out),
            "dropped_events": run.dropped,
        }
        content["synops_per_second"] = None if self.peaks is None else self.peaks.to_dict()
        content["gap"] = None if self.gap is None else _plain(self.gap.to_dict())
        return as_json(content, 2)

    def _page_pictures(self, profiles: list[str]) -> dict[str, bytes]:
        over_time = {"Events in and out and SynOps over time": as_png(self.draw())}
        return page_pictures(self.run.report, profiles) | over_time


def counted(run: Simulation) -> dict[str, Tensor]:
    """SynOps of the layers that have some: products of dense values are MACs, which no limit is about."""
    dense = {
        row.name for row in run.report.rows if row.macs_per_sample and not row.synops_per_sample
    }
    return {name: counts for name, counts in run.synops.items() if name not in dense}


def _per_sample(counts: Tensor) -> float:
    return counts.sum().item() / max(len(counts), 1)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Lists in place of tuples."""
    return values | {"rows": list(values["rows"])}
