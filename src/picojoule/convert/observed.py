"""One pass of a model, for the shapes at its layers and where it calls `torch.flatten`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from picojoule.layers import reset_states

BATCH_AND_TIME = (0, 1)  # the axes that `x.flatten(0, 1)` folds
Shapes = tuple[tuple[int, ...], tuple[int, ...]]  # what went in, what came out


class SampleError(ValueError):
    """The model does not take the sample that it is followed with; the cause says why."""


@dataclass
class Observed:
    """Shapes that went in and came out, in the order of the calls."""

    of_layers: dict[str, list[Shapes]] = field(default_factory=dict)
    of_flattens: list[Shapes] = field(default_factory=list)
    of_result: tuple[int, ...] = ()


class _FlattenWatch(TorchFunctionMode):
    """Sees the shapes at `torch.flatten` where the model calls it, not a layer or what folds time."""

    def __init__(self, seen: list[Shapes]) -> None:
        super().__init__()
        self._seen, self._layers = seen, 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        is_flatten = func in (torch.flatten, Tensor.flatten)
        if is_flatten and not self._layers and (*args[1:], *kwargs.values()) != BATCH_AND_TIME:
            self._seen.append((_shape(args), _shape(result)))
        return result

    def leave_out(self, layer: nn.Module) -> list[RemovableHandle]:
        """See nothing while a layer runs."""

        def count(by: int) -> None:
            self._layers += by

        return [
            layer.register_forward_pre_hook(lambda *_: count(1)),
            layer.register_forward_hook(lambda *_: count(-1)),
        ]


def observe(
    who: str,
    root: nn.Module,
    paths: Iterable[str],
    is_layer: Callable[[nn.Module, str], bool],
    sample_data: Tensor,
) -> Observed:
    """Run a model once.

    Args:
        who: the public function, for messages.
        root: the model; its states are reset before.
        paths: of the layers whose shapes are wanted.
        is_layer: whether the calls of `torch.flatten` in a module, by its path, are its own.
        sample_data: what it is run on.

    Raises:
        SampleError: the model does not take it.
    """
    observed = Observed()
    flattens = _FlattenWatch(observed.of_flattens)

    def watch(path: str) -> RemovableHandle:
        seen = observed.of_layers.setdefault(path, [])
        return root.get_submodule(path).register_forward_hook(
            lambda _module, given, output: seen.append((_shape(given), _shape(output)))
        )

    handles = [watch(path) for path in paths]
    for name, module in root.named_modules():
        if is_layer(module, name):
            handles += flattens.leave_out(module)
    reset_states(root)
    try:
        with torch.no_grad(), flattens:
            result = root(sample_data)
    except (RuntimeError, TypeError) as error:
        if isinstance(error, NotImplementedError | ValueError):  # of a layer, in its own words
            raise
        raise SampleError(
            f"{who}: the model does not take the sample, of shape {tuple(sample_data.shape)} and {sample_data.dtype}: {error}"
        ) from error
    for handle in handles:  # the layers may go on to run
        handle.remove()
    observed.of_result = _shape(result)
    return observed


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of a tensor, or of the first tensor in what a layer that has no NIR node takes or gives."""
    while isinstance(value, tuple) and value:
        value = value[0]
    return tuple(getattr(value, "shape", ()))
