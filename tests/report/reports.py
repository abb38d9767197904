"""Reports that can be checked by hand."""

from typing import Any

from picojoule import Report
from picojoule.report import Row

AWKWARD = Report(
    model="Net_1",
    samples=4,
    num_timesteps=10,
    biases_per_sample=40.0,
    neuron_updates_per_sample=120.0,
    rows=(
        Row(
            name="stem_a&<b>",
            kind="Conv2d",
            synops_per_timestep=0.0,
            synops_per_sample=0.0,
            macs_per_sample=64000.0,
            macs_one_pass=6400.0,
        ),
        Row(
            name="lif^1",
            kind="LIF",
            neurons=12,
            firing_rate=0.25,
            silent_share=0.5,
            neuron_updates_per_sample=120.0,
        ),
        Row(
            name="block.0/matmul#1",
            kind="matmul",
            synops_per_timestep=123.25,
            synops_per_sample=1232.5,
            macs_per_sample=0.0,
            macs_one_pass=493.0,
            spikes_per_synapse=0.25,
        ),
        Row(name="out|50%", kind="ExpLeak"),
    ),
)


def written(report: Report, form: str, **options: Any) -> str:
    """In that form; a page without its pictures, which take their time."""
    if form == "to_html":
        options = {"picture": False} | options
    found: str = getattr(report, form)(**options)
    return found
