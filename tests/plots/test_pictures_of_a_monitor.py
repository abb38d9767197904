"""Pictures hold the data that they were given; the images themselves are not compared."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from picojoule import Monitor
from picojoule.layers import IAF
from picojoule.plots import log_to_tensorboard, plot_raster, plot_rates

pytest.importorskip("matplotlib")


def test_a_raster_has_a_dot_for_each_neuron_and_step_that_spikes(tmp_path: Path) -> None:
    spikes = torch.randint(0, 3, (2, 7, 3, 4)).float()
    figure = plot_raster(spikes, tmp_path / "raster.png", sample=1, title="$x")
    (dots,) = figure.axes[0].collections
    shown = torch.zeros(7, 12)
    for (time, neuron), size in zip(dots.get_offsets(), dots.get_sizes(), strict=True):
        shown[int(time), int(neuron)] = size / 4
    assert torch.equal(shown, spikes[1].flatten(1))
    assert figure.axes[0].get_xlabel() == "Time step"
    assert (tmp_path / "raster.png").read_bytes().startswith(b"\x89PNG")


def test_a_raster_in_seconds() -> None:
    figure = plot_raster(torch.tensor([[[0.0], [0.0], [-1.0]]]), dt_s=0.5)
    assert figure.axes[0].collections[0].get_offsets().tolist() == [[1.0, 0.0]]
    assert figure.axes[0].get_xlabel() == "Time (s)"


@pytest.mark.parametrize("shape", [(1, 5, 2), (1, 5, 0)])
def test_a_raster_of_silence(shape: tuple[int, ...]) -> None:
    assert len(plot_raster(torch.zeros(shape)).axes[0].collections[0].get_offsets()) == 0


def test_what_is_no_raster() -> None:
    with pytest.raises(ValueError, match=r"expected \(batch, time, \*neurons\)"):
        plot_raster(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="there are 2 samples"):
        plot_raster(torch.zeros(2, 5, 2), sample=2)


def test_histograms_hold_all_neurons(tmp_path: Path) -> None:
    rates = {"a": torch.tensor([0.0, 0.1, 0.9]), "b$": torch.rand(4, 5), "c": torch.zeros(2)}
    figure = plot_rates(rates, tmp_path / "rates.png", bins=10)
    assert len(figure.axes) == 3
    for axes, layer in zip(figure.axes, rates.values(), strict=True):
        assert sum(bar.get_height() for bar in axes.patches) == layer.numel()
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == [1, 1, *[0] * 7, 1]
    assert "33.3% silent" in figure.axes[0].get_title()
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no layers"):
        plot_rates({})


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.scalars: dict[str, float] = {}
        self.histograms: dict[str, Any] = {}

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        assert global_step == 3
        self.scalars[tag] = scalar_value

    def add_histogram(self, tag: str, values: Any, global_step: int) -> None:
        self.histograms[tag] = values


def test_all_that_was_counted_is_logged() -> None:
    model = nn.Sequential(nn.Linear(3, 4), IAF(), nn.Linear(4, 2))
    with Monitor(model) as monitor:
        model(torch.ones(2, 5, 3))
    notes = Notes()
    log_to_tensorboard(notes, monitor, 3)
    expected = {f"synops/{name}": count.item() for name, count in monitor.synops.items()}
    expected |= {f"macs/{name}": count.item() for name, count in monitor.macs.items()}
    expected |= {
        "synops/total": monitor.synops.total.item(),
        "macs/total": monitor.macs.total.item(),
        "rate/1": monitor.rates["1"].mean().item(),
        "silent_share/1": (monitor.rates["1"] == 0).float().mean().item(),
    }
    assert notes.scalars == expected
    assert expected["synops/0"] == 12
    assert notes.histograms["rates/1"].tolist() == monitor.rates["1"].double().tolist()
    quiet = Notes()
    log_to_tensorboard(quiet, monitor, 3, histograms=False)
    assert not quiet.histograms


def test_tensorboard_reads_it(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    model = nn.Sequential(nn.Linear(3, 4))
    with Monitor(model) as monitor:
        model(torch.ones(2, 5, 3))
    with tensorboard.SummaryWriter(tmp_path) as writer:
        log_to_tensorboard(writer, monitor, 3)
    assert list(tmp_path.iterdir())
