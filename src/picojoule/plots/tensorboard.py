"""What a Monitor has counted, in TensorBoard."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from torch import Tensor

from picojoule.synops.counting_monitor import CountingMonitor


class Writer(Protocol):
    """What is used of `torch.utils.tensorboard.SummaryWriter`."""

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int) -> Any:
        """Enter a number."""

    def add_histogram(self, tag: str, values: Any, global_step: int) -> Any:
        """Enter a distribution."""


def log_to_tensorboard(
    writer: Writer, monitor: CountingMonitor, step: int, *, histograms: bool = True
) -> None:
    """Write the SynOps, MACs and firing rates of the last forward pass. Waits for the device.

    `synops/LAYER`, `macs/LAYER` and their `total`, per sample and time step; `rate/LAYER`, the
    mean in spikes per neuron and time step; `silent_share/LAYER`; and `rates/LAYER`, a histogram over neurons.

    Under `torch.distributed` all ranks have to call it, or at least to read the monitor; a rank
    that shall write nothing gives a writer that does nothing.

    Args:
        writer: `torch.utils.tensorboard.SummaryWriter`, or whatever has its two methods.
        monitor: has watched a forward pass.
        step: training step.
        histograms: write the histograms, too; they take more room than the rest.

    Raises:
        RuntimeError: no forward pass was watched.

    Example:
        >>> import torch
        >>> class Printer:
        ...     def add_scalar(self, tag, value, step):
        ...         print(tag, value, step)
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4))
        >>> with CountingMonitor(model) as monitor:
        ...     _ = model(torch.ones(5, 3))
        >>> log_to_tensorboard(Printer(), monitor, step=7)
        synops/0 12.0 7
        synops/total 12.0 7
        macs/0 0.0 7
        macs/total 0.0 7
    """
    for kind, counts in (("synops", monitor.synops), ("macs", monitor.macs)):
        for name, count in {**counts, "total": counts.total}.items():
            writer.add_scalar(f"{kind}/{name}", count.item(), step)
    rates = monitor.rates
    mean, silent = rates.mean, rates.silent_share
    for name, layer in rates.items():
        writer.add_scalar(f"rate/{name}", mean[name].item(), step)
        writer.add_scalar(f"silent_share/{name}", silent[name].item(), step)
        if histograms:
            writer.add_histogram(f"rates/{name}", _values(layer), step)


def _values(layer: Tensor) -> np.ndarray[Any, Any]:
    return layer.detach().flatten().double().cpu().numpy()
