"""The report of a count: frozen numbers without a graph, to print, store and compare."""

# More than 250 lines: the facade of all that a report can be made into; most of it is docstrings.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from picojoule.energy.network import NetworkEnergy
from picojoule.report.conventions import ConventionCount, convention_count
from picojoule.report.document import Document, document
from picojoule.report.energy_tables import with_energy
from picojoule.report.explain import explain
from picojoule.report.json_values import as_json, energy_values, report_values
from picojoule.report.methods import methods_text
from picojoule.report.pictures import can_draw, draw_energy, draw_operations, page_pictures
from picojoule.report.priced import Profile, Profiles, energy_by_layer, whole_energy
from picojoule.report.record import Record
from picojoule.report.rendering import html, latex, markdown, text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Report(Record):
    """What a model spent, layer by layer, as plain numbers: :meth:`picojoule.Monitor.report`.

    SynOps are spikes that arrived at synapses. MACs are products of dense values, such as those of
    an image that is fed in as it is; they stand apart. Biases and neuron updates stand on lines
    of their own and are in no other number.

    Args:
        model: the type of the model.
        rows: layers in the order in which they were called.
        samples: samples that the numbers are a mean over.
        num_timesteps: time steps of a sample; no whole number where samples differ in theirs.
        synops_per_sample_sd: standard deviation of SynOps per sample over the samples (n - 1), where the Monitor had
            `detail=["sample"]`, saw more than one, and could tell them apart in each layer.
        biases_per_sample: additions of biases of linear and convolutional layers and products.
        neuron_updates_per_sample: neurons times time steps, of all layers with dynamics.
        counted_by: the convention of the rows.
        weights: whether pruned weights count as synapses ("all") or not ("nonzero").
        ignored: names of modules that were left out, with all in them.
        inputs: what the model was called with.
        versions: of Picojoule and PyTorch, with which it was counted.
        conventions: what the counters of others count, if the Monitor had `conventions=True`.
        rate_histograms: of the neurons' firing rates, by spiking layer, to draw.
        warnings: what could not be known, such as the time steps, with the option to pass; shown above all.

    Example:
        >>> import picojoule
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(3, 4), picojoule.layers.IAF(), nn.Linear(4, 2))
        >>> with picojoule.Monitor(model) as monitor:
        ...     _ = model(torch.ones(5, 10, 3))
        >>> report = monitor.report()
        >>> report.rows[0].synops_per_sample, report.neuron_updates_per_sample
        (120.0, 40.0)
    """

    # ---- forms
    # profile: a name, a profile of your own, or several, which stand side by side

    def to_dict(self) -> dict[str, Any]:
        """Rows, totals and units as plain Python values.

        `"version"` is 2; 1 had none, and neither spread, `inputs` and `versions` nor joules by layer.
        """
        return report_values(self)

    def to_json(self, indent: int | None = 2, *, profile: Profiles | None = None) -> str:
        """`to_dict()` as JSON; with a profile, `energy_j` too, which is a list if several are given."""
        content = self.to_dict()
        if profile is not None:
            content["energy_j"] = energy_values(self, profile)
        return as_json(content, indent)

    def to_text(self, *, profile: Profiles | None = None) -> str:
        """A table in plain text, as `print(report)` shows it; with profiles, the energy below."""
        return text(self._document(profile))

    def to_markdown(self, *, profile: Profiles | None = None) -> str:
        """A table in Markdown; with profiles, the energy below."""
        return markdown(self._document(profile))

    def to_latex(self, *, profile: Profiles | None = None) -> str:
        r"""Tables in LaTeX as wide as the line, for the packages `booktabs` and `tabularx`; with profiles, the energy, too.

        Sources, and what is left out, stand below each table.

        Args:
            profile: a name or a profile of your own; or several, which stand side by side.

        Raises:
            ValueError: there is no such profile, it publishes limits instead of joules, or two have one name.

        Example:
            >>> from picojoule.report import Row
            >>> row = Row(name="fc", kind="Linear", synops_per_sample=1e6, macs_one_pass=2e5)
            >>> report = Report(model="Net", rows=(row,), samples=1, num_timesteps=10)
            >>> written = report.to_latex(profile=["loihi", "45nm-fp32+step"])
            >>> print(next(line for line in written.splitlines() if "fc &" in line and "J" in line))
            fc & 23.6 \textmu{}J & 126 \textmu{}J \\
        """
        return latex(self._document(profile))

    def to_html(
        self,
        *,
        profile: Profiles | None = None,
        picture: bool | None = None,
        rates: Mapping[str, Tensor] | None = None,
    ) -> str:
        """A page that needs no other file, with pictures; with profiles, the energy below.

        Args:
            profile: a name, a profile of your own, or several.
            picture: put into it what `plot()` draws, histograms of the firing rates, and for each profile what
                `plot_energy()` draws. Omitted: if matplotlib is installed.
            rates: firing rates for the histograms, such as `monitor.rates`, in place of the report's own.

        Raises:
            ImportError: `picture` is True and matplotlib is missing.
        """
        drawn = can_draw() if picture is None else picture
        pictures = page_pictures(self, profile, rates) if drawn else None
        return html(self._document(profile), pictures)

    def __str__(self) -> str:
        return self.to_text()

    def _document(self, profile: Profiles | None) -> Document:
        return with_energy(document(self), self, profile)

    def methods_text(self, *, profile: Profiles | None = None) -> str:
        """How this was counted, in plain English, for the methods section of a paper.

        It states the versions, the convention, which weights count, the input, the samples and time steps, what was
        spent and what is left out; of each profile the joules, the source and its grade. What you have to settle
        first, such as a warning, follows as a paragraph of its own.

        Args:
            profile: a name, a profile of your own, or several.

        Raises:
            ValueError: there is no such profile, it publishes limits instead of joules, or two have one name.

        Example:
            >>> import picojoule
            >>> import torch
            >>> from torch import nn
            >>> model = nn.Sequential(nn.Linear(3, 4), picojoule.layers.IAF(), nn.Linear(4, 2))
            >>> with picojoule.Monitor(model) as monitor:
            ...     _ = model(torch.ones(5, 10, 3))
            >>> sentences = monitor.report().methods_text(profile="loihi").split(". ")
            >>> print(sentences[4])
            The input was of shape 5 x 10 x 3, taken for spikes
        """
        return methods_text(self, profile)

    # ---- joules

    def energy(self, profile: Profile) -> NetworkEnergy:
        """Joules per sample on a chip or technology, as `monitor.energy_j` has them, beside the ANN's.

        Args:
            profile: a name, such as "loihi", or a profile of your own. A memory is added where the
                name says so, as in "45nm-int8+dram".

        Raises:
            ValueError: there is no such profile, or it publishes limits instead of joules.

        Example:
            >>> from picojoule.report import Row
            >>> row = Row(name="fc", kind="Linear", synops_per_sample=1e6, macs_one_pass=2e5)
            >>> report = Report(model="Net", rows=(row,), samples=1, num_timesteps=10)
            >>> report.energy("loihi").total_j
            2.36e-05
        """
        return whole_energy(self, profile)

    def energy_by_layer(self, profile: Profile) -> dict[str, NetworkEnergy]:
        """The same of each layer alone. The sum over layers is that of `energy(profile)`.

        Raises:
            ValueError: there is no such profile, or it publishes limits instead of joules.

        Example:
            >>> from picojoule.report import Row
            >>> row = Row(name="fc", kind="Linear", synops_per_sample=1e6, macs_one_pass=2e5)
            >>> report = Report(model="Net", rows=(row,), samples=1, num_timesteps=10)
            >>> {name: energy.total_j for name, energy in report.energy_by_layer("loihi").items()}
            {'fc': 2.36e-05}
        """
        return energy_by_layer(self, profile)

    # ---- conventions

    def convention(self, name: str) -> ConventionCount:
        """The count by a published convention, from the same forward passes.

        Args:
            name: that of the Monitor, "strict" if it was not given another; or, if the Monitor had `conventions=True`, any of "strict", "sinabs",
                "neurobench", "syops", "spikingjelly" and "rate_flops", with the errors of each.

        Raises:
            ValueError: there is no such convention, or the Monitor did not keep what it needs.

        Example:
            >>> from picojoule.report import Row
            >>> row = Row(name="fc", kind="Linear", synops_per_sample=60.0, macs_per_sample=0.0)
            >>> report = Report(model="Net", rows=(row,), samples=1, num_timesteps=10)
            >>> report.convention("strict").synops_per_sample
            60.0
        """
        return convention_count(self, name)

    def explain(self) -> str:
        """Where and why the published conventions differ for this model, in plain sentences.

        Raises:
            ValueError: the Monitor did not have `conventions=True`.
        """
        return explain(self)

    # ---- pictures

    def plot(self, path: Path | str | None = None) -> Figure:
        """Draw SynOps and MACs of each layer, and the firing rates; needs matplotlib.

        Args:
            path: where to write it as PNG, if at all.

        Raises:
            ImportError: matplotlib is missing.
        """
        return draw_operations(self, path)

    def plot_energy(self, profile: Profile, path: Path | str | None = None) -> Figure:
        """Draw the joules of each layer and of the whole, beside those of the ANN; needs matplotlib.

        Args:
            profile: a name, or a profile of your own.
            path: where to write it as PNG, if at all.

        Raises:
            ValueError: there is no such profile, or it publishes limits instead of joules.
            ImportError: matplotlib is missing.

        Example:
            >>> from picojoule.report import Row
            >>> row = Row(name="fc", kind="Linear", synops_per_sample=1e6, macs_one_pass=2e5)
            >>> report = Report(model="Net", rows=(row,), samples=1, num_timesteps=10)
            >>> figure = report.plot_energy("loihi")
            >>> figure.axes[0].get_title()
            'Modelled energy by layer on loihi, with memory'
        """
        return draw_energy(self, profile, path)
