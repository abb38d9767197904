"""What each synapse costs and is worth, and the masks that take synapses away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import prune as masks

from picojoule.budget.limits import Limit
from picojoule.budget.names import check_names
from picojoule.synops import CONVOLUTIONS
from picojoule.synops.monitor import CountingMonitor

Score = Literal["drive", "taylor"]
Prunable = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


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
    _check_plain(wanted, "make_prunable")
    for name in wanted:
        if not hasattr(found[name], "weight_mask"):
            _mask(found[name], torch.ones_like(found[name].weight))


def prunable(monitor: CountingMonitor, limit: Limit, layers: Sequence[str]) -> dict[str, Prunable]:
    """The layers under a limit whose weights can be taken away, of a monitor that has seen a pass."""
    counted = tuple(monitor.synops)
    modules = dict(monitor.model.named_modules())
    under = limit.layers or counted
    found = {n: m for n in under if isinstance(m := modules.get(n), Prunable)}
    check_names(layers, tuple(found), "layer with prunable weights under the limit", "prune")
    if not found:
        raise ValueError(
            f"prune: no nn.Linear or nn.Conv1d to nn.Conv3d is counted under {limit.name}, and no other layers can "
            "lose weights."
        )
    chosen = {name: found[name] for name in layers or found}
    _check_plain(chosen, "prune")
    return chosen


def _check_plain(layers: Mapping[str, Prunable], owner: str) -> None:
    for name, layer in layers.items():
        if not {"weight", "weight_orig"} & layer._parameters.keys():
            raise ValueError(
                f"{owner}: the weight of layer {name!r} is made from other parameters (such as those of weight_norm). "
                "Make it plain first, by torch.nn.utils.parametrize.remove_parametrizations, or name other layers."
            )


def costs(
    monitor: CountingMonitor, limit: Limit, layers: Mapping[str, Prunable]
) -> dict[str, Tensor]:
    """What each weight spends, in the shape of the weight and the unit of the bound; 0 of a pruned one.

        cost = price of a SynOp * SynOps of its input channel / weights that see this channel
               + price of a MAC * MACs of the layer / weights of the layer

    Exact for linear layers. The taps of a convolution, of which those at the border are used less
    often, share the cost of their channel alike.
    """
    synops, macs = monitor.synops, monitor.macs
    detail, time = synops.detail, synops.time
    a_synop, a_mac = limit.factor(time), limit.mac_factor(time)
    found = {}
    for name, layer in layers.items():
        present = layer.weight.detach() != 0
        channels = detail[name].detach() if name in detail else torch.zeros(0)
        if channels.ndim > 1:  # by sample or step, too
            channels = channels.flatten(0, -2).mean(0)
        spikes = _by_channel(layer, present, channels)
        dense = macs[name].detach() / present.sum().clamp(min=1)
        found[name] = present * (a_synop * spikes + a_mac * dense)
    return found


def _by_channel(layer: Prunable, present: Tensor, channels: Tensor) -> Tensor:
    """SynOps of a synapse, from those of its input channel; broadcasts over the weight."""
    groups = layer.groups if isinstance(layer, CONVOLUTIONS) else 1
    outputs, inputs, *kernel = present.shape
    if channels.numel() != groups * inputs:  # nothing came in, or it came as dense values
        return torch.zeros((), device=present.device)
    split = present.reshape(groups, outputs // groups, inputs, -1)
    synapses = split.sum((1, 3)).clamp(min=1)
    mean = channels.reshape(groups, inputs) / synapses
    return mean.repeat_interleave(outputs // groups, 0).reshape(outputs, inputs, *[1] * len(kernel))


def importances(
    layers: Mapping[str, Prunable], cost: Mapping[str, Tensor], score: Score
) -> dict[str, Tensor]:
    """What each weight is worth, in the shape of the weight.

    "drive": its share of what reaches the next neurons, |w| * cost / sum over the layer of |w| * cost. Without the
    sum, a layer of few synapses that see many spikes, as the last one often is, would be the first to go.
    "taylor": |w * dloss/dw|, from the gradients there are.

    Raises:
        ValueError: "taylor", and a weight has no gradient.
    """
    found = {}
    for name, layer in layers.items():
        weight = layer.weight.detach()
        if score == "drive":
            drive = weight.abs().double() * cost[name]
            found[name] = drive / drive.sum().clamp(min=1e-300)
            continue
        gradient = cast("Tensor", getattr(layer, "weight_orig", layer.weight)).grad
        if gradient is None:
            raise ValueError(
                f"prune: score='taylor' needs gradients, and the weight of layer {name!r} has none. Call "
                "loss.backward() on some batches before, without zero_grad() after."
            )
        found[name] = (weight * gradient).abs()
    return found


def take_away(
    layers: Mapping[str, Prunable],
    cost: Mapping[str, Tensor],
    worth: Mapping[str, Tensor],
    saving: float,
) -> None:
    """Mask the weights that are worth least for what they cost, until they save enough together."""
    flat = torch.cat([cost[name].flatten().double() for name in layers])
    ratio = torch.cat([worth[name].flatten().double() for name in layers]) / flat
    ratio[flat <= 0] = torch.inf  # takes nothing away that saves nothing
    order = ratio.argsort(stable=True)
    saved = flat[order].cumsum(0)
    number = min(int((saved < saving).sum()) + 1, int((flat > 0).sum()))
    keep = torch.ones_like(flat, dtype=torch.bool)
    keep[order[:number]] = False
    sizes = [layer.weight.numel() for layer in layers.values()]
    for layer, part in zip(layers.values(), torch.split(keep, sizes), strict=True):
        _mask(layer, part.reshape(layer.weight.shape))


def _mask(layer: Prunable, keep: Tensor) -> None:
    mask = getattr(layer, "weight_mask", None)
    if isinstance(mask, Tensor):  # a further method in its container would add a mask each time
        layer.weight_mask = mask = mask * keep
    else:
        with _order_kept(layer):
            masks.custom_from_mask(layer, "weight", keep)  # type: ignore[no-untyped-call]  # by torch
        mask = keep
    _show(layer, mask)


@contextmanager
def _order_kept(layer: Prunable) -> Iterator[None]:
    """The weight stays where it is among the parameters, by whatever name: optimizers save by number."""
    names = ("weight", "weight_orig")
    place = next(k for k, name in enumerate(layer._parameters) if name in names)
    yield
    others = [(name, p) for name, p in layer._parameters.items() if name not in names]
    weight = [(name, p) for name, p in layer._parameters.items() if name in names]
    layer._parameters.clear()
    layer._parameters.update([*others[:place], *weight, *others[place:]])


def _show(layer: Prunable, mask: Tensor) -> None:
    original: Tensor = layer.get_parameter("weight_orig").detach()
    layer.__dict__["weight"] = original * mask  # each forward pass makes it anew


@contextmanager
def masks_put_back_on_failure(layers: Mapping[str, Prunable]) -> Iterator[None]:
    """If what is done meanwhile raises, the layers have the masks that they had, or none."""
    masked = {name: getattr(layer, "weight_mask", None) for name, layer in layers.items()}
    try:
        yield
    except BaseException:
        for name, layer in layers.items():
            before = masked[name]
            if isinstance(before, Tensor):
                layer.weight_mask = before
                _show(layer, before)
            elif hasattr(layer, "weight_mask"):
                layer.weight_mask = torch.ones_like(layer.weight)
                with _order_kept(layer):
                    masks.remove(layer, "weight")  # type: ignore[no-untyped-call]  # by torch
        raise
