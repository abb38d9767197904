"""What SNNAnalyzer has to know of the data that reaches a layer: its time axis, and its scale."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from picojoule.layers import (
    FlattenTime,
    HookHandles,
    Repeat,
    SqueezeError,
    SqueezeMixin,
    StatefulLayer,
    UnflattenTime,
)
from picojoule.layers.squeeze import split_batch_and_time
from picojoule.layers.weak_hook import WeakHook
from picojoule.synops.sequential import COUNTED, values_averaged


class TimeAxes:
    """Finds batch and time in the input of a layer, whatever has folded them.

    Looked up when the layer is called: in the `Repeat` around it, the last `FlattenTime` that ran, or
    the squeezing layer that follows it, else precedes it, among the model's modules.
    """

    def __init__(self, model: nn.Module, handles: HookHandles) -> None:
        self._squeezing = _nearest_squeezing_layers(model)
        self.start()
        for module in model.modules():
            if isinstance(module, FlattenTime):
                handles.add(module.register_forward_pre_hook(WeakHook(self._folds)))
            elif isinstance(module, UnflattenTime):
                handles.add(module.register_forward_hook(WeakHook(self._unfolds)))
            elif isinstance(module, Repeat):
                handles.add(module.register_forward_pre_hook(WeakHook(self._enters_repeat)))
                handles.add(
                    module.register_forward_hook(WeakHook(self._leaves_repeat), always_call=True)
                )

    def start(self) -> None:
        """A forward pass begins."""
        self._repeats: list[tuple[int, int]] = []
        self._folded: tuple[int, int] | None = None
        self._unfolded = False

    def of(self, module: nn.Module, data: Tensor) -> tuple[int, int] | None:
        """`(batch, time)` in the input `data` of a layer; None if it has no time axis."""
        if self._repeats:
            return self._repeats[-1]
        if self._folded is not None and math.prod(self._folded) == len(data):
            return self._folded
        squeezing = None if self._unfolded else self._squeezing.get(module)
        if squeezing is not None:
            try:
                return split_batch_and_time(
                    "", len(data), squeezing.batch_size, squeezing.num_timesteps
                )
            except SqueezeError:
                pass  # not folded at this place, or an error that the squeezing layer will tell
        if isinstance(module, nn.Linear) and data.ndim >= 3:
            return data.shape[0], data.shape[1]
        return None

    def _folds(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._folded, self._unfolded = (inputs[0].shape[0], inputs[0].shape[1]), False

    def _unfolds(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._folded, self._unfolded = None, True

    def _enters_repeat(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._repeats.append((inputs[0].shape[0], inputs[0].shape[1]))

    def _leaves_repeat(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if self._repeats:
            self._repeats.pop()


class SpikesPerUnit:
    """Follows through the layers how many spikes one unit of a value stands for.

    An average pooling divides by its window; spiking layers and layers with weights start again at 1.
    A tensor that came from no layer (a function, a sum) is taken to have the scale of the last layer.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A forward pass begins."""
        self._known: Any = WeakTensorKeyDictionary()
        self._last = 1.0

    def of(self, data: Tensor) -> float:
        """Spikes per unit of a tensor; NaN if an average of unknown size is behind it."""
        return float(self._known.get(data, self._last))

    def after(self, module: nn.Module, data: Tensor, output: Tensor) -> None:
        """A layer has made `output` of `data`."""
        fresh = isinstance(module, COUNTED) or (
            isinstance(module, StatefulLayer) and module.does_spike
        )
        self._last = 1.0 if fresh else self.of(data) * _window(module, data, output)
        self._known[output] = self._last


def _window(module: nn.Module, data: Tensor, output: Tensor) -> float:
    """Values that one output of a layer averages; NaN if that is not one number."""
    adaptive = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
    if not isinstance(module, adaptive):
        return values_averaged(module)
    axes = 1 + adaptive.index(type(module))
    sizes = list(zip(data.shape[-axes:], output.shape[-axes:], strict=True))
    if any(before % after for before, after in sizes):
        return math.nan
    return float(math.prod(before // after for before, after in sizes))


def _nearest_squeezing_layers(model: nn.Module) -> dict[nn.Module, SqueezeMixin]:
    """For each module the next squeezing layer among the model's modules, else the last one before."""
    modules = list(model.modules())
    nearest: dict[nn.Module, SqueezeMixin] = {}
    for ordered in (modules, modules[::-1]):  # what follows overwrites what precedes
        squeezing: SqueezeMixin | None = None
        for module in ordered:
            if isinstance(module, SqueezeMixin):
                squeezing = module
            elif squeezing is not None:
                nearest[module] = squeezing
    return nearest
