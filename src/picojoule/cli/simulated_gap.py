"""The gap between a network in PyTorch and on a chip, on labelled data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.cli.progress import ProgressBar
from picojoule.events import Gap, gap
from picojoule.events.orders import Arrival, ChipLimits, Leak, Order
from picojoule.synops.watch.count import Weights
from picojoule.training import LoadedRun, TrainConfig
from picojoule.training.samples.run_data import load_run_data

_BUNDLED = "bundled"
_BATCH = 20
_CHIP = ChipLimits(weight_bits=8, state_bits=16, one_threshold_per_layer=True)


@dataclass(frozen=True)
class Labelled:
    """Some samples of a test set, from the first to the last at equal distances.

    Args:
        data: `d[i] -> (frames, label)`.
        which: their numbers.
        readout: what answers, as of :class:`picojoule.training.TrainConfig`.
    """

    data: Any
    which: list[int]
    readout: Any

    @classmethod
    def of(
        cls, source: str | None, run: LoadedRun | None, num_timesteps: int | None, samples: int
    ) -> Labelled:
        """Those of a source, as `picojoule train --data` takes it, or of a run.

        Raises:
            ValueError: nothing says which; or the run learned something else than classes.
            OSError: they are missing.
        """
        if source is None and run is None:
            raise ValueError(
                "--samples is how many labelled samples the gap is measured on, and nothing says which. Give --data, as to "
                "picojoule train, or --data bundled for the bundled images."
            )
        config = TrainConfig() if run is None else run.config
        if config.task is not None:
            raise ValueError(
                f"the run learned the task {config.task}, and the gap is measured in right answers. Leave --samples and "
                "--data out."
            )
        if source is not None:
            config = replace(config, data=None if source == _BUNDLED else source)
        if num_timesteps is not None:
            config = replace(config, num_timesteps=num_timesteps)
        test = load_run_data(config).test
        which = torch.linspace(0, len(test) - 1, min(samples, len(test))).round().long().tolist()
        return cls(test, which, config.readout)

    def batches(self, progress: ProgressBar) -> Iterator[tuple[Tensor, Tensor]]:
        """Frames `b t *n` and labels `b`."""
        progress.start(f"Gap on {len(self.which):,} samples", total=len(self.which), done=0)
        for first in range(0, len(self.which), _BATCH):
            samples = [self.data[k] for k in self.which[first : first + _BATCH]]
            frames = torch.stack([torch.as_tensor(each).float() for each, _ in samples])
            yield frames, torch.tensor([int(label) for _, label in samples])
            for _ in samples:
                progress.advance("")


def measured_gap(
    model: nn.Module,
    labelled: Labelled,
    progress: ProgressBar,
    *,
    order: Order | None,
    leak: Leak,
    tick_steps: int,
    limits: ChipLimits,
    arrival: Arrival,
    weights: Weights,
) -> tuple[Gap, list[str]]:
    """The causes one by one: those of the options, or, if there are none (`order` is None), those of a chip.

    Raises:
        NotImplementedError: a layer cannot run so; the message names it.
        ValueError: the model does not take the samples, or gives no classes.
    """
    notes = []
    if order is None:
        order, leak = "depth", "tick"
        limits = (
            _CHIP if limits.weight_bits is None else replace(limits, one_threshold_per_layer=True)
        )
        every = "step" if tick_steps == 1 else f"{tick_steps} steps"
        notes.append(
            "the gap is that to a chip that runs depth first, with a leak by a tick every "
            f"{every}, weights of {limits.weight_bits} bits, potentials of {limits.state_bits} and one threshold a "
            "layer; choose another with --order, --leak, --weight-bits, --state-bits, --one-threshold."
        )
    try:
        found = gap(
            model,
            labelled.batches(progress),
            order=order,
            leak=leak,
            limits=limits,
            tick_steps=tick_steps,
            arrival=arrival,
            readout=labelled.readout,
            weights=weights,
        )
    except RuntimeError as error:
        if isinstance(error, NotImplementedError):
            raise
        shape = tuple(torch.as_tensor(labelled.data[0][0]).shape)
        raise ValueError(
            f"The gap cannot be measured on samples of shape {shape}: {error}"
        ) from error
    return found, notes


def checked_samples(samples: int | None, data: str | None) -> int | None:
    """How many samples the gap is measured on; None for no gap.

    Example:
        >>> checked_samples(None, None), checked_samples(None, "saccade")
        (None, 200)
    """
    return 200 if samples is None and data is not None else samples
