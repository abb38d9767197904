"""Masks of :mod:`torch.nn.utils.prune` that take parts of parameters away, and stay."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from picojoule.budget.names import check_names

Prunable = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
Masked = tuple[nn.Module, str]  # a layer, and the name of one of its parameters


class Mask(prune.CustomFromMask):
    """torch's mask, in a layer that can be copied after a forward pass under autograd, too.

    Each forward pass leaves `weight`, the product, in the layer. It is no leaf then, and `deepcopy` refuses it.
    It is made anew anyway, so a copy gets the values alone.
    """

    _layer: Any = None  # a weak reference: a layer and its hook must not keep each other alive

    def of(self, layer: nn.Module) -> Mask:
        """This mask, which knows its layer now."""
        self._layer = weakref.ref(layer)
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Mask:
        layer = self._layer()
        product = vars(layer).get(self._tensor_name)
        if isinstance(product, Tensor) and not product.is_leaf:
            memo.setdefault(id(product), product.detach().clone())
        twin = type(self)(self.mask)
        twin._tensor_name = self._tensor_name
        return twin.of(memo.get(id(layer), layer))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_layer": self._layer()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.of(state["_layer"])


def make_prunable(model: nn.Module, layers: Sequence[str] = ()) -> None:
    """Give weights a mask of ones, so that a `state_dict` with masks can be loaded.

    In place, by :mod:`torch.nn.utils.prune`: the parameter becomes `weight_orig`, the same object as before,
    so optimizers go on with it; `weight_mask` is a buffer, and `weight` is their product.

    Args:
        model: any module with `nn.Linear` or `nn.Conv1d` to `nn.Conv3d`.
        layers: their names; none for all.

    Raises:
        ValueError: a name is of no such layer, or there is none.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2))
        >>> make_prunable(model)
        >>> sorted(model.state_dict())
        ['0.bias', '0.weight_mask', '0.weight_orig']
    """
    found = {n: m for n, m in model.named_modules() if isinstance(m, Prunable)}
    check_names(layers, tuple(found), "layer with prunable weights", "make_prunable")
    if not found:
        raise ValueError(
            f"make_prunable: {type(model).__name__} has no nn.Linear or nn.Conv1d to nn.Conv3d."
        )
    wanted = {name: found[name] for name in layers or found}
    check_plain(wanted, "make_prunable")
    give_masks((layer, "weight") for layer in wanted.values())


def check_plain(layers: Mapping[str, nn.Module], owner: str) -> None:
    """Raise ValueError for a layer whose weight is no parameter, nor the product of one and a mask."""
    for name, layer in layers.items():
        if not is_plain(layer):
            raise ValueError(
                f"{owner}: the weight of layer {name!r} is made from other parameters (such as those of weight_norm). "
                "Make it plain first, by torch.nn.utils.parametrize.remove_parametrizations, or name other layers."
            )


def is_plain(layer: nn.Module) -> bool:
    """Whether the weight is a parameter, or the product of one and a mask; not computed from others.

    Example:
        >>> is_plain(nn.Linear(2, 3)), is_plain(nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)))
        (True, False)
    """
    return "weight" in layer._parameters or (
        "weight_orig" in layer._parameters and mask_of(layer) is not None
    )


def original(layer: nn.Module, of: str = "weight") -> nn.Parameter:
    """The parameter behind a mask, or the one that has none."""
    parameter = _parameter(layer, of)
    assert parameter is not None, of
    return parameter


def _parameter(layer: nn.Module, of: str) -> nn.Parameter | None:
    masked = layer._parameters.get(f"{of}_orig")
    return layer._parameters.get(of) if masked is None else masked


def mask_of(layer: nn.Module, of: str = "weight") -> Tensor | None:
    """The mask of a parameter, if it has one."""
    mask = getattr(layer, f"{of}_mask", None)
    return mask if isinstance(mask, Tensor) else None


def kept(layers: Mapping[str, Prunable]) -> dict[str, float]:
    """Share of each layer's weights that is not zero."""
    return {name: (layer.weight != 0).float().mean().item() for name, layer in layers.items()}


def take_out(layer: nn.Module, keep: Tensor, of: str = "weight") -> None:
    """Mask what is not to be kept of a parameter; what is masked already stays so.

    Args:
        layer: any module.
        keep: True or 1 where the parameter stays; its shape.
        of: name of the parameter.
    """
    mask = mask_of(layer, of)
    if mask is not None:  # a further method in its container would add a mask each time
        setattr(layer, f"{of}_mask", mask * keep)
    else:
        mask = keep.to(original(layer, of).dtype)
        with _order_kept(layer, of):
            Mask.apply(layer, of, mask).of(layer)  # type: ignore[no-untyped-call]  # by torch
    refresh(layer, of)


def masked(layer: nn.Module, of: str = "weight") -> Tensor:
    """What a mask leaves of a parameter, as the next forward pass will have it; without gradient."""
    mask = mask_of(layer, of)
    parameter = original(layer, of).detach()
    return parameter if mask is None else parameter * mask


def refresh(layer: nn.Module, of: str = "weight") -> None:
    """Let a layer show what its mask leaves of a parameter now; each forward pass makes it anew."""
    if mask_of(layer, of) is not None:
        vars(layer)[of] = masked(layer, of)


def put_in(layer: nn.Module, parameter: nn.Parameter, of: str = "weight") -> None:
    """Put another parameter in the place of one; its mask stays."""
    setattr(layer, of if mask_of(layer, of) is None else f"{of}_orig", parameter)
    refresh(layer, of)


@torch.no_grad()
def multiply(layer: nn.Module, by: float, of: str = "weight") -> None:
    """Multiply a parameter in place, whether it has a mask or not."""
    original(layer, of).mul_(by)
    refresh(layer, of)


def remove_mask(layer: nn.Module, of: str = "weight") -> None:
    """Make what a mask leaves of a parameter final; it is the same object in the same place."""
    with _order_kept(layer, of):
        prune.remove(layer, of)  # type: ignore[no-untyped-call]  # by torch


def masks_of_saved(model: nn.Module, saved: Mapping[str, Tensor]) -> list[Masked]:
    """The parameters that have a mask in a `state_dict`, and have it, or could, in the model."""
    modules = dict(model.named_modules())
    found = []
    for key in saved:
        name, _, of = key.removesuffix("_mask").rpartition(".")
        layer = modules.get(name)
        if key.endswith("_mask") and layer is not None and _parameter(layer, of) is not None:
            found.append((layer, of))
    return found


def give_masks(parameters: Iterable[Masked]) -> None:
    """A mask of ones for those without."""
    for layer, of in parameters:
        if mask_of(layer, of) is None:
            take_out(layer, torch.ones_like(original(layer, of)), of)


@contextmanager
def _order_kept(layer: nn.Module, of: str) -> Iterator[None]:
    """The parameter stays where it is among the others, by whatever name: optimizers save by number."""
    names = (of, f"{of}_orig")
    place = next(k for k, name in enumerate(layer._parameters) if name in names)
    yield
    others = [(name, p) for name, p in layer._parameters.items() if name not in names]
    moved = [(name, p) for name, p in layer._parameters.items() if name in names]
    layer._parameters.clear()
    layer._parameters.update([*others[:place], *moved, *others[place:]])


@contextmanager
def put_back_on_failure(parameters: Sequence[Masked]) -> Iterator[None]:
    """If what is done meanwhile raises, the parameters have the masks that they had, or none."""
    before = [mask_of(layer, of) for layer, of in parameters]
    try:
        yield
    except BaseException:
        for (layer, of), mask in zip(parameters, before, strict=True):
            if mask is not None:
                setattr(layer, f"{of}_mask", mask)
                refresh(layer, of)
            elif mask_of(layer, of) is not None:
                setattr(layer, f"{of}_mask", torch.ones_like(original(layer, of)))
                remove_mask(layer, of)
        raise
