"""The network that is simulated, from a name or from the folder of a run, with the shape that it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from picojoule import events
from picojoule.cli.counted_run import CLASSES, default_input
from picojoule.cli.simulated_input import Raster
from picojoule.convert.observed import SampleError
from picojoule.events import EventNetwork
from picojoule.events.orders import ChipLimits
from picojoule.layers import FlattenTime, SqueezeMixin, set_batch_size
from picojoule.synops.watch.count import Weights
from picojoule.training import LoadedRun, load
from picojoule.training.files.checkpoint_files import read_checkpoint
from picojoule.training.files.run_folder import CHECKPOINT
from picojoule.training.files.weights import load_weights
from picojoule.training.networks.factories import BUILT_IN, load_model
from picojoule.training.networks.models import build_model
from picojoule.training.networks.their_code import reason

_MOST_VALUES = 2**25  # of a time step: eighteen times those of the largest cameras
_STEPS = 2  # of the sample that the network is compiled with; it runs for any number


@dataclass(frozen=True)
class NamedModel:
    """What MODEL is, before it is built.

    Args:
        name: as it was typed.
        run: of its folder; None if it is none.
        step_shape: of its input at a time step, `*n`; None if nobody knows.
    """

    name: str
    run: LoadedRun | None
    step_shape: tuple[int, ...] | None

    @classmethod
    def of(cls, name: str, size: str | None) -> NamedModel:
        """The model of a name, or the run in a folder; `size` is what the user says of its input.

        Raises:
            ValueError: the size is no size; or the folder's run is damaged.
            FileNotFoundError: there is no run in the folder.
        """
        stated = None if size is None else _size(size)
        if Path(name).is_dir():
            run = load(name)
            shape = read_checkpoint(Path(name) / CHECKPOINT).progress["sample"]["shape"]
            return cls(name, run, stated or tuple(shape)[1:])
        if stated is None and name in BUILT_IN:
            (default,) = default_input(name, None)
            stated = tuple(map(int, default.split(",")[2:]))
        return cls(name, None, stated)

    def takes(self) -> tuple[int, ...]:
        """The shape of a step, for a recording.

        Raises:
            ValueError: nobody knows it, or events have no place in it.
        """
        if self.step_shape is None:
            raise ValueError(
                "--size is missing: the shape of the model's input at a time step, p,h,w of a camera, such as 2,34,34, or n "
                "of channels, such as 700."
            )
        if len(self.step_shape) not in (1, 3):
            raise ValueError(
                f"the model takes steps of shape {shown_shape(self.step_shape)}, and events have a place in p,h,w or in n. Give a "
                "raster, or another --size."
            )
        return self.step_shape

    def build(
        self, shown: Raster | None, num_timesteps: int | None, seed: int, checkpoint: Path | None
    ) -> nn.Module:
        """The network, in evaluation mode.

        Raises:
            ValueError, ImportError, OSError: it cannot be made, the raster has no axis of samples, or the weights are of
                another.
        """
        if shown is not None and (self.run is not None or self.name in BUILT_IN):
            self._check_axes(shown)
        torch.manual_seed(seed)
        if self.run is not None:
            model = self.run.model
        elif self.name in BUILT_IN:
            batch, sample = 1, (_STEPS, *(self.step_shape or ()))
            if shown is not None:
                batch, *axes = shown.values.shape
                sample = tuple(axes)
            model = build_model(self.name, sample, CLASSES[self.name], batch)
        else:
            model = load_model(self.name, num_timesteps)
        if checkpoint is not None:
            load_weights(model, checkpoint)
        return model.eval()

    def _check_axes(self, shown: Raster) -> None:
        step, came = self.step_shape or (), tuple(shown.values.shape)
        if len(came) == 1 + len(step):
            raise ValueError(
                f"EVENTS is a raster of shape {shown_shape(came)}, expected batch,time,{shown_shape(step)}. If it is one sample, save it as "
                "raster[None]."
            )


def _size(text: str) -> tuple[int, ...]:
    parts = text.replace("x", ",").strip("()[] ").split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(
            f"--size is {text!r}, expected p,h,w of a camera, such as 2,34,34, or n of channels, such as 700."
        )
    size = tuple(map(int, parts))
    if math.prod(size) > _MOST_VALUES:
        raise ValueError(
            f"--size is {text!r}, which are {math.prod(size):,} values a time step; expected {_MOST_VALUES:,} at most."
        )
    return size


class HowCompiled(NamedTuple):
    """What `events.compile` is told.

    Args:
        weights: what SynOps are counted by.
        limits: of a chip that keeps the time steps; None for none.
    """

    weights: Weights
    limits: ChipLimits | None


def compiled(model: nn.Module, shape: tuple[int, ...], how: HowCompiled) -> EventNetwork:
    """The event network of a model that is to take one recording at a time.

    Args:
        model: which is told so.
        shape: of a step, `*n`.
        how: it is compiled.

    Raises:
        NotImplementedError: a layer has no kernel; the message names it.
        ValueError: the model does not take such steps.
    """
    folding = [module for module in model.modules() if isinstance(module, SqueezeMixin)]
    set_batch_size(model, 1)
    steps = max([_STEPS, *(layer.num_timesteps for layer in folding)])
    is_folded = folding and not any(isinstance(each, FlattenTime) for each in model.modules())
    return _compiled(model, torch.zeros(*(() if is_folded else (1,)), steps, *shape), how)


def compiled_for(model: nn.Module, raster: Tensor, how: HowCompiled) -> EventNetwork:
    """The event network of a model that is to take a raster, its samples and steps as they are.

    Raises:
        NotImplementedError, ValueError: as of :func:`compiled`.
    """
    if not any(isinstance(each, SqueezeMixin) for each in model.modules()) or any(
        isinstance(each, FlattenTime) for each in model.modules()
    ):
        set_batch_size(model, len(raster))
    return _compiled(model, raster, how)


def _compiled(model: nn.Module, sample: Tensor, how: HowCompiled) -> EventNetwork:
    try:
        return events.compile(model, sample, limits=how.limits, weights=how.weights)
    except NotImplementedError:
        raise
    except Exception as error:
        if str(error).startswith(("events", "discretize")) and not isinstance(error, SampleError):
            raise
        cause = error.__cause__ if isinstance(error, SampleError) else None
        raise ValueError(
            f"The model does not take an input of shape {shown_shape(tuple(sample.shape))}: {reason(cause or error)}"
        ) from error


def shown_shape(shape: tuple[int, ...]) -> str:
    """As the options have it."""
    return ",".join(map(str, shape))
