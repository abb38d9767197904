"""How many samples and time steps a forward pass has."""

# More than 250 lines: what is seen and what follows from it are one judgement, in the order of its evidence.

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from picojoule.layers import FlattenTime, UnflattenTime
from picojoule.layers.chunks import Chunk, current_chunk
from picojoule.synops.watch.nested import batch_shape
from picojoule.synops.watch.pass_size import (
    PassSize,
    size_of_folded,
    size_of_shape,
    size_of_unfolded,
)
from picojoule.synops.watch.shared_cells import CellCalls
from picojoule.synops.watch.spiking import Spiking, TimeAxis

# which have the samples second, unless told otherwise
OF_SEQUENCES = (
    nn.RNNBase,
    nn.MultiheadAttention,
)


class StepCount:
    """Reads samples and time steps off the layers that know them, or off the model's input.

    What the layers are seen to get goes before what the input looks like, and what is given before both.

    Args:
        time_axis: where the model's input has its time; None to ask the layers.
        num_timesteps: time steps of a sample; None to find out.
        samples: samples of a forward pass; None to find out.
    """

    def __init__(
        self,
        time_axis: TimeAxis | None,
        num_timesteps: int | None = None,
        samples: int | None = None,
    ) -> None:
        self._axis, self._num_timesteps, self._samples = time_axis, num_timesteps, samples
        self._found: dict[str, PassSize] = {}
        self._chunks: dict[str, Chunk | None] = {}  # in which a layer was seen last
        self._steps: dict[str, tuple[int, int]] = {}  # of its first call, and of all that went on
        self._modules: dict[str, nn.Module | None] = {}  # of that name, the first of several
        self._loop: Counter[str] = Counter()
        self._supposed: set[str] = set()  # loops whose layers were only found by what they do
        self._loop_shape: tuple[int, ...] = ()
        self._leads: dict[str, int] = {}  # samples that a layer of a loop got
        self._layers: dict[str, CellCalls] = {}  # calls of a cell that stands for several
        self._shape: tuple[int, ...] | None = None
        self._in_layer: int | None = None  # samples, as a layer of PyTorch takes the model's input
        self._inner: set[tuple[int, ...]] = set()  # leading axes of what modules got
        self.time_first = time_axis == "tb"
        self.doubts: list[str] = []  # sentences, each with the option that settles it

    # ---- what is seen

    def see_input(self, values: Iterable[Any]) -> None:
        """Note what the model was called with."""
        self._shape = batch_shape(values)

    def see_sample(self, data: Tensor) -> None:
        """Note that a layer took this for one sample, without an axis for samples."""
        if tuple(data.shape) == self._shape:
            self._in_layer = 1

    def see_module(self, module: nn.Module, data: Tensor) -> None:
        """Note the first tensor that some module got."""
        if self._in_layer is None and self._shape is not None and isinstance(module, OF_SEQUENCES):
            self._see_sequences(module, tuple(data.shape))
        if self._num_timesteps is not None:
            self._inner.add(tuple(data.shape[:2]))

    def _see_sequences(self, module: Any, shape: tuple[int, ...]) -> None:
        batch_first = getattr(module, "batch_first", False)
        if len(shape) == 2 and shape == self._shape:
            self._in_layer = 1
        elif len(shape) == 3 and not batch_first and self._shape is not None:
            self._in_layer = shape[1] if shape[:2] == self._shape[:2] else None

    def see_spiking(
        self, name: str, module: nn.Module, kind: Spiking, data: Tensor, goes_on: bool = False
    ) -> None:
        """Note what a spiking module was called with, and whether it went on from what a call before has left."""
        if data.ndim == 0:
            return
        if kind.time_axis == "folded":
            size = self._size_of_folded(module, kind, len(data))
            self._take(name, size, module, kind, goes_on)
            self.time_first = self.time_first or kind.time_first
        elif kind.time_axis in ("bt", "tb", "last"):
            self.time_first = self.time_first or kind.time_axis == "tb"
            timed = size_of_shape(kind.time_axis, tuple(data.shape))
            self._take(name, timed, module, kind, goes_on)
        else:
            self._loop[name] += 1
            self._loop_shape = max(self._loop_shape, tuple(data.shape), key=lambda shape: shape[:1])
            if data.ndim > 1:
                self._leads[name] = max(self._leads.get(name, 0), len(data))
            if not kind.sure:
                self._supposed.add(name)

    def see_layers(self, name: str, calls: CellCalls) -> None:
        """Note that a module of a loop stands for several layers."""
        self._layers[name] = calls

    def see_reshape(self, module: nn.Module, data: Tensor) -> None:
        """Note a layer that folds or unfolds time."""
        name = type(module).__name__
        if isinstance(module, FlattenTime) and data.ndim > 1:
            self._take(name, PassSize(*data.shape[:2]))
        elif isinstance(module, UnflattenTime):
            self._take(name, size_of_unfolded(module, len(data)))

    def _size_of_folded(self, module: nn.Module, kind: Spiking, entries: int) -> PassSize | None:
        """What a module says of its folded axis; one of the user's is not asked where the user says it."""
        said = self._samples is not None or self._num_timesteps is not None
        if said and not kind.closed and kind.num_timesteps is None:
            return None
        return size_of_folded(module, kind, entries)

    def _take(
        self,
        name: str,
        size: PassSize | None,
        module: nn.Module | None = None,
        kind: Spiking | None = None,
        goes_on: bool = False,
    ) -> None:
        chunk = current_chunk()
        if size is None:
            return
        if name not in self._found:
            self._found[name], self._chunks[name] = size, chunk
            self._steps[name] = size.num_timesteps, size.num_timesteps
            self._modules[name] = module
        elif chunk is not None and chunk.goes_on(self._chunks[name]):
            self._add_steps(name, size)
            self._chunks[name] = chunk
        elif kind is not None and module is self._modules[name]:
            self._take_again(name, size, kind, goes_on)

    def _take_again(self, name: str, size: PassSize, kind: Spiking, goes_on: bool) -> None:
        """A layer was called once more, with the next step of a loop; or another layer shares it."""
        if self._axis == "outer" or size.samples != self._found[name].samples:
            return
        # a picture of one step may stand still, or several layers share what looks at it
        still = size_of_shape(kind.time_axis, self._shape or (1,))
        is_step = size.num_timesteps == 1 and (kind.time_axis == "folded" or size != still)
        if (is_step and (goes_on or not kind.closed)) or (goes_on and self._axis == "loop"):
            self._add_steps(name, size)
        elif goes_on:
            first, total = self._steps[name]
            self._steps[name] = first, total + size.num_timesteps

    def _add_steps(self, name: str, size: PassSize) -> None:
        before, (first, total) = self._found[name], self._steps[name]
        self._found[name] = PassSize(before.samples, before.num_timesteps + size.num_timesteps)
        self._steps[name] = first, total + size.num_timesteps

    # ---- what follows

    @property
    def told(self) -> bool:
        """Whether a layer or an option says what the time steps are."""
        return bool(self._found or self._loop or self._axis or self._num_timesteps is not None)

    def result(self) -> PassSize:
        """Samples and time steps of this forward pass.

        Raises:
            ValueError: they cannot be told.
        """
        self._check_one_step()
        found = self._of_layers()
        size = found or self._by_calls_or_input()
        self._doubt_samples(size)
        self._check_samples(size)
        if self._samples is not None and self._num_timesteps is not None:
            return PassSize(self._samples, self._num_timesteps)
        if self._num_timesteps is not None and size.num_timesteps != self._num_timesteps:
            size = self._with_time(size, found)
        if self._samples is not None:
            size = self._with_samples(size)
        elif self._shape is None and not self.told_samples:
            self.doubts.append(
                "the model was given no tensor with axes, so its samples are taken for 1. Pass samples=."
            )
        return size

    def _check_one_step(self) -> None:
        """Raise if a model that is said to be called once a step has a layer that takes several."""
        several = [n for n, size in self._found.items() if size.num_timesteps != 1]
        if self._axis == "outer" and several:
            raise ValueError(
                f"Monitor: time_axis is 'outer', a call a time step, but layer {several[0]!r} got "
                f"{self._found[several[0]].in_words()}. Leave time_axis out if the model takes whole sequences; for a step, give that layer an "
                "axis of 1 for time."
            )

    def _check_samples(self, seen: PassSize) -> None:
        """Raise unless what was seen can be shared out over as many samples as are said."""
        said, timed = self._samples, self._axis in ("bt", "tb", "last", "outer")
        known = bool(self._found) or bool(self._loop.keys() - self._supposed)
        if said is None or not (known or timed) or not isinstance(seen.samples, int):
            return
        steps = 1 if self._num_timesteps is None else seen.num_timesteps  # it may be said otherwise
        got = {size.samples for size in self._found.values()} or {*self._leads.values()}
        if (seen.samples * steps) % said and said not in got:
            name = next(iter(self._found or self._loop), None)
            who = f"layer {name!r} got" if name is not None else "the input has"
            way = "Leave samples= out, or pass how many there are."
            raise ValueError(f"Monitor: samples is {said}, but {who} {seen.in_words()}. {way}")

    @property
    def steps_of_layers(self) -> set[int]:
        """The time steps that neuron layers were seen to have."""
        return {found.num_timesteps for found in self._found.values()}

    @property
    def told_samples(self) -> bool:
        """Whether a layer was seen to get a batch."""
        return bool(self._found or self._loop)

    def _of_layers(self) -> PassSize | None:
        if not self._found or self._axis == "outer":
            return None
        first = next(iter(self._found))
        size = self._found[first]
        if self._num_timesteps in self._steps[first]:
            return PassSize(size.samples, self._num_timesteps)
        if self._num_timesteps is None:
            self._doubt_steps(first, size)
        return size

    def _doubt_steps(self, first: str, size: PassSize) -> None:
        """Doubt time steps that layers disagree on, or several calls of one."""
        for name, other in self._found.items():
            total = self._steps[name][1]
            if total != other.num_timesteps:
                self.doubts.append(
                    f"layer {name!r} was called several times in one pass, each time from where it had stopped, over {total} time "
                    f"steps in all; the time steps are taken for {size.num_timesteps}. Pass num_timesteps=, or time_axis='loop' if the "
                    "model makes the steps."
                )
                break
        for name, other in self._found.items():
            if other.num_timesteps != size.num_timesteps:
                self.doubts.append(
                    f"layer {first!r} has {size.num_timesteps} time steps and {name!r} has {other.num_timesteps}; those of "
                    f"{first!r} are taken. Pass num_timesteps=."
                )
                break

    def _doubt_samples(self, size: PassSize) -> None:
        """Doubt samples that layers, or a layer and the input, disagree on."""
        seen = {name: found.samples for name, found in self._found.items()} or self._leads
        taken = next((name for name, samples in seen.items() if samples == size.samples), None)
        if self._samples is not None or self._axis == "outer" or taken is None:
            return
        others = (f"{name!r} got {n}" for name, n in seen.items() if n != size.samples)
        other = next(others, self._fewer_in_input(size))
        if other is not None:
            self.doubts.append(
                f"layer {taken!r} got {size.samples} samples and {other}; those of {taken!r} are taken. Pass samples=."
            )

    def _fewer_in_input(self, size: PassSize) -> str | None:
        """What the input has, if each of its first entries seems to have become several samples of a layer."""
        lead = (self._shape or ())[:2]
        if not lead or size.samples in lead or size.samples * size.num_timesteps == lead[0]:
            return None
        several = 0 < lead[0] < size.samples and size.samples % lead[0] == 0
        return f"the input has {lead[0]}" if several else None

    def _by_calls_or_input(self) -> PassSize:
        shape = self._shape or (1,)
        axis = self._axis
        if axis in ("bt", "tb", "last"):
            return size_of_shape(axis, shape)
        if axis == "folded":
            return self._folded(shape[0])
        if axis == "outer":
            return PassSize(shape[0], 1)
        if self._loop:
            calls = self._calls()
            if calls == 1 and self._num_timesteps is None and self._supposed.issuperset(self._loop):
                self._doubt_one_call()
            return PassSize(self._loop_samples(), calls)
        return PassSize(shape[0] if self._in_layer is None else self._in_layer, 1)

    def _doubt_one_call(self) -> None:
        self.doubts.append(
            f"spiking layers were called once ({', '.join(map(repr, self._loop))}), and nothing shows whether what they "
            "got has time steps; 1 is taken. Pass time_axis= ('bt', 'tb' or 'last' where it has, 'outer' if the model "
            "is called once a step, else 'loop'), or num_timesteps=."
        )

    def _folded(self, entries: int) -> PassSize:
        if self._num_timesteps is not None:
            return self._divided(entries)
        if self._samples is None:
            raise ValueError(
                "Monitor: time_axis='folded', but no layer says how many time steps a sample has. "
                "Pass num_timesteps= or samples=."
            )
        if entries % self._samples:
            raise ValueError(
                f"Monitor: samples is {self._samples}, but the forward pass had {entries} samples times time "
                "steps, no multiple of it. Pass the samples of one forward pass."
            )
        return PassSize(self._samples, entries // self._samples)

    def _with_time(self, size: PassSize, found: PassSize | None) -> PassSize:
        """The same entries with the time steps that were given."""
        assert self._num_timesteps is not None
        if found is not None or self._axis in ("bt", "tb", "last"):
            return self._divided(size.samples * size.num_timesteps)
        if self._axis in ("loop", "outer") or self._loop or self._made_inside(size.samples):
            return PassSize(size.samples, self._num_timesteps)
        divided = self._divided(size.samples)
        self.doubts.append(
            f"no layer says where the {self._num_timesteps} time steps are; they are taken to be in the first axis of the "
            f"input, with {divided.samples} samples. Pass time_axis= ('folded' if so, 'loop' if the model makes "
            "the steps itself), or samples=."
        )
        return divided

    def _made_inside(self, samples: int) -> bool:
        """Whether some module got more than the model, by as many time steps as there are."""
        steps = self._num_timesteps
        assert steps is not None
        repeated = {(steps, samples), (samples, steps)}
        return any(lead in repeated or lead[:1] == (steps * samples,) for lead in self._inner)

    def _with_samples(self, size: PassSize) -> PassSize:
        assert self._samples is not None
        if self._shape is not None and size.samples != self._samples and not self.told:
            self.doubts.append(
                f"the input begins with {size.samples} entries of {self._samples} samples, and no layer says "
                f"how many time steps there are; {size.num_timesteps} is taken. Pass num_timesteps=."
            )
        return PassSize(self._samples, size.num_timesteps)

    def _divided(self, entries: int) -> PassSize:
        assert self._num_timesteps is not None
        if entries % self._num_timesteps:
            raise ValueError(
                f"Monitor: num_timesteps is {self._num_timesteps}, but the forward pass had {entries} samples times time steps, "
                "no multiple of it. Pass the time steps of one sample, and time_axis=, where the input has them "
                "('loop' if the model makes them itself)."
            )
        return PassSize(entries // self._num_timesteps, self._num_timesteps)

    def _loop_samples(self) -> int:
        """Samples of a neuron that was given one step; a vector that is no batch is one sample's."""
        lead = (self._shape or ())[:2]
        if len(self._loop_shape) == 1 and lead and self._loop_shape[0] not in lead:
            return 1
        return self._loop_shape[0]

    def _calls(self) -> int:
        if self._num_timesteps is not None:
            return self._num_timesteps
        names = [name for name in self._loop if name not in self._supposed] or self._loop
        certain = {name: self._steps_of(name) for name in names}
        counts = sorted(set(certain.values()))
        self._doubt_layers()
        if len(counts) == 1:
            return counts[0]
        if self._supposed:
            self.doubts.append(
                f"modules that look like neurons were called different numbers of times, {certain}, so the "
                "time steps are taken for 1. Pass num_timesteps=."
            )
            return 1
        raise ValueError(
            f"Monitor: the spiking layers were called different numbers of times in one forward pass, {certain}, "
            "so its time steps are unknown. Pass num_timesteps=."
        )

    def _steps_of(self, name: str) -> int:
        """Time steps of a module that is called step by step, for as many layers as it stands for."""
        calls, shared = self._loop[name], self._layers.get(name)
        if shared is None or not shared.at_once:
            return calls
        by_layer = shared.by_layer
        return -(-calls * max(by_layer) // sum(by_layer))

    def _doubt_layers(self) -> None:
        for name, shared in self._layers.items():
            self.doubts.append(
                f"{name!r} was called {self._loop[name]} times, as {len(shared.by_layer)} layers or sequences by the states and shapes "
                f"that it was given; {self._steps_of(name)} time steps are taken, and its rates are of all of them. Pass num_timesteps=, "
                "or give each layer a module of its own."
            )
