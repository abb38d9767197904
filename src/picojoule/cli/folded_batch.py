"""Layers that fold batch and time get the batch of the input, whatever they were built for.

Those of sinabs itself are known by their names and attributes, which are ours, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from picojoule.layers import HookHandles
from picojoule.synops.watch.pass_size import PassSize


class _Batch:
    """What becomes known of samples and time steps while the model runs."""

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        self._network, self._x = network, x
        self.folding = [(name, m) for name, m in network.named_modules() if _folds(m)]
        self._known = False
        self.notes: list[str] = []

    def at_flatten(self, _: nn.Module, args: tuple[Any, ...]) -> None:
        """A layer that folds batch and time sees both."""
        if args and isinstance(args[0], Tensor) and args[0].ndim > 1:
            self._fit(*args[0].shape[:2])

    def check_said(self, samples: int) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        """What a layer that folds batch and time does where the user says how many samples there are."""

        def check(layer: nn.Module, args: tuple[Any, ...]) -> None:
            if (
                args
                and isinstance(args[0], Tensor)
                and args[0].ndim > 1
                and len(args[0]) != samples
            ):
                seen = PassSize(*args[0].shape[:2]).in_words()
                name = next(n for n, module in self._network.named_modules() if module is layer)
                raise ValueError(
                    f"--samples is {samples}, but layer {name!r} got {seen}. Leave --samples out, or say how many there are."
                )

        return check

    def at_folded(self, layer: nn.Module, args: tuple[Any, ...]) -> None:
        """The model may have folded them by a function: then the axis is as long as both."""
        if self._known or not args or not isinstance(args[0], Tensor) or not args[0].ndim:
            return
        batch, time, *_ = *self._x.shape, 1, 1
        if time > 1 and len(args[0]) == batch * time:
            self._fit(batch, time)
        elif getattr(layer, "batch_size", -1) == 1 and len(args[0]) > 1 and not self.notes:
            self.notes.append(
                f"the first axis of the input, {len(args[0])}, is taken for the time steps of 1 sample, for which the "
                "layers were built; if it holds several samples, say how many with --samples."
            )

    def _fit(self, batch: int, time: int) -> None:
        for name, layer in self.folding:
            steps = getattr(layer, "num_timesteps", -1)
            if getattr(layer, "batch_size", -1) == -1 and steps != time:
                raise ValueError(
                    f"--input has {batch} samples of {time} time steps, but layer {name!r} was built for "
                    f"num_timesteps={steps}. Build it with that number, or with batch_size."
                )
        self.set(batch)
        self._known = True

    def set(self, batch: int) -> None:
        """As `picojoule.set_batch_size`, which knows our own layers alone."""
        modules: Iterator[Any] = self._network.modules()
        for module in modules:
            if _folds(module) and module.batch_size != -1:
                module.batch_size, module.num_timesteps = batch, -1
            elif _is(module, "UnflattenTime"):
                module.batch_size = batch


@contextmanager
def batch_of_input(network: nn.Module, x: Tensor, samples: int | None) -> Iterator[list[str]]:
    """While the model runs, its folding layers have the batch of the input, as `picojoule train` sets it.

    Args:
        network: with squeezing layers or none.
        x: its first input, batch first.
        samples: what the user says; None to see.

    Yields:
        Sentences on what had to be taken for granted, there when the model has run.

    Raises:
        ValueError: the layers are built for other time steps, or get other samples than the user says.
    """
    batch = _Batch(network, x)
    with HookHandles() as handles:
        see = batch.at_flatten if samples is None else batch.check_said(samples)
        for module in network.modules():
            if _is(module, "FlattenTime"):
                handles.add(module.register_forward_pre_hook(see, prepend=True))
        if samples is not None:
            batch.set(samples)
        else:
            for _, layer in batch.folding:
                handles.add(layer.register_forward_pre_hook(batch.at_folded, prepend=True))
        yield batch.notes


def _folds(module: nn.Module) -> bool:
    """Whether it takes batch and time in one axis, as `IAFSqueeze`."""
    sizes = [getattr(module, name, None) for name in ("batch_size", "num_timesteps")]
    return all(isinstance(size, int) for size in sizes)


def _is(module: nn.Module, name: str) -> bool:
    return type(module).__name__ == name
