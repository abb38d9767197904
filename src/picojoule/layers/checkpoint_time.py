"""Sequences longer than memory allows: kept in chunks of time, computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from picojoule.layers.chunk_checks import (
    OwnMemory,
    check_arguments,
    check_output,
    checked_calls,
    has_hooks,
)
from picojoule.layers.chunks import Chunk, chunks_of, running
from picojoule.layers.plain_call import is_compiled
from picojoule.layers.stateful_layer import StatefulLayer
from picojoule.layers.whole_model import stateful_layers
from picojoule.ops.feedback import is_in_sight, kept_in_sight


class _Left(NamedTuple):
    """What a pass leaves in a stateful layer."""

    states: dict[str, Tensor]
    sums: tuple[Tensor, int] | None
    recordings: dict[str, Tensor]


def checkpoint_time(layers: nn.Module, x: Tensor, *, steps: int) -> Tensor:
    """`layers(x)`, with the memory of `steps` time steps in place of all.

    The sequence is cut into chunks of `steps` time steps. Of each, the states it starts from are kept;
    the backward pass runs it once more and goes back through it, with the gradient of the states on to
    the chunk before. Output, states, recordings, firing rates and gradients are those of `layers(x)`, for about one
    forward pass more; with `steps` about the square root of the number of time steps the memory is least.

    Args:
        layers: any module from `b t *n` to `b t *m` that treats time steps alike and remembers in stateful
            layers alone. Squeezed layers, between `FlattenTime` and `UnflattenTime`, know `batch_size` alone.
        x: input, `b t *n`.
        steps: time steps of a chunk; the last one may be shorter.

    Returns:
        Output, `b t *m`.

    Raises:
        ValueError: `steps` is not a whole number >= 1, `x` has no time axis, or a chunk of time would
            not give what the whole gives: batch statistics (BatchNorm in training), `nn.RNN` and the like,
            a stateful layer that is called twice, a squeezed layer that does not go with the batch, a
            buffer that the forward pass changes, an output without the time axis. States then stay.

    Modules that mix time steps in other ways, such as attention along time, are not recognised. Random
    numbers are drawn chunk by chunk, and are the same in the second run: dropout differs from that of
    `layers(x)`, but is right. Hooks on `layers` itself are called once, with the whole sequence, so a Monitor counts
    one pass. Hooks on modules inside are called for each chunk, and again in the backward
    pass; what they hold afterwards is of one chunk.

    On a CPU, glibc gives memory back to the system, or to tensors of another size, only of tensors over 32 MB:
    with smaller ones the process may stay as large. Set `MALLOC_MMAP_THRESHOLD_=1000000` (bytes) in the
    environment of Python to lower that (docs/adr/0010).

    Example:
        >>> from picojoule.layers import LIF
        >>> layers = nn.Sequential(nn.Linear(3, 4), LIF(tau_mem=20.0))
        >>> output = checkpoint_time(layers, torch.rand(2, 100, 3), steps=10)
        >>> output.shape, layers[1].v_mem.shape
        (torch.Size([2, 100, 4]), torch.Size([2, 4]))
        >>> output.sum().backward()

    Source of the method: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, arXiv 1604.06174.
    """
    check_arguments(layers, x, steps)
    for _, layer in stateful_layers(layers):
        layer._check_that_states_are_usable()
    if is_compiled(layers) or not has_hooks(layers):
        return _in_chunks(layers, layers, x, steps)
    with _forward_replaced(layers, partial(_in_chunks, layers, layers.forward, steps=steps)):
        output: Tensor = layers(x)
    return output


def _in_chunks(
    layers: nn.Module, call: Callable[[Tensor], Tensor], x: Tensor, steps: int
) -> Tensor:
    """`call(x)`, a function of `layers`, from chunk to chunk."""
    remembering = [layer for _, layer in stateful_layers(layers)]
    states = [_usable(state) for layer in remembering for state in layer.states().values()]
    own_memory, in_sight = OwnMemory(layers), is_in_sight()
    parts, outputs, left = torch.split(x, steps, dim=1), [], []
    for part, chunk in zip(parts, chunks_of([part.shape[1] for part in parts]), strict=True):
        run = _Run(layers, call, remembering, in_sight, chunk)
        output, ends = checkpoint(run, part, *states, use_reentrant=False)
        run.chunk = chunk._replace(again=True)
        own_memory.check(layers)
        states = [state for end in ends for state in end.states.values()]
        outputs.append(output)
        left.append(ends)
    for layer, all_ends in zip(remembering, zip(*left, strict=True), strict=True):
        _leave(layer, list(all_ends))
    return torch.cat(outputs, dim=1)


@contextmanager
def _forward_replaced(layers: nn.Module, forward: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Hooks on the layers, a Monitor's above all, see one call with the whole sequence."""
    own = vars(layers)
    before = own.get("forward")
    own["forward"] = forward
    try:
        yield
    finally:
        if before is None:
            del own["forward"]
        else:
            own["forward"] = before


def _usable(state: Tensor) -> Tensor:
    """A state that autograd may keep: one that was made under inference_mode may not be, its copy may."""
    return state.clone() if state.is_inference() else state


@dataclass
class _Run:
    """Output and what is left behind, as a function of a chunk and of the states; the layers stay as they were.

    The second run in the backward pass has to do what the first did, also where somebody watched that one alone.
    """

    layers: nn.Module
    call: Callable[[Tensor], Tensor]
    remembering: list[StatefulLayer]
    in_sight: bool
    chunk: Chunk

    def __call__(self, part: Tensor, *states: Tensor) -> tuple[Tensor, list[_Left]]:
        """Run it."""
        with (
            running(self.chunk),
            kept_in_sight(self.in_sight),
            _memory_restored(self.remembering),
            checked_calls(self.layers, part, by_hooks=self.call is self.layers),
        ):
            given = iter(states)
            for layer in self.remembering:
                for name in layer.states():
                    setattr(layer, name, next(given))
                layer._sums, layer.recordings = None, {}
            output = self.call(part)
            check_output(output, part)
            left = [_Left(la.states(), la._sums, la.recordings) for la in self.remembering]
            return output, left


@contextmanager
def _memory_restored(remembering: list[StatefulLayer]) -> Iterator[None]:
    before = [(layer, layer.states(), layer._sums, layer.recordings) for layer in remembering]
    try:
        yield
    finally:
        for layer, states, sums, recordings in before:
            for name, state in states.items():
                setattr(layer, name, state)
            layer._sums, layer.recordings = sums, recordings


def _leave(layer: StatefulLayer, ends: list[_Left]) -> None:
    """Store in a layer what the whole sequence leaves behind."""
    for name, state in ends[-1].states.items():
        setattr(layer, name, state)
    sums = [end.sums for end in ends if end.sums is not None]
    layer._sums = None
    if len(sums) == len(ends):
        layer._sums = torch.stack([part for part, _ in sums]).sum(0), sum(n for _, n in sums)
    layer.recordings = {
        name: torch.cat([end.recordings[name] for end in ends], dim=1)
        for name in ends[-1].recordings
    }
