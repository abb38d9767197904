"""What each synapse costs and is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from picojoule.budget.limits import Limit
from picojoule.budget.masks import Prunable, check_plain, original, take_out
from picojoule.budget.names import check_names
from picojoule.synops import CONVOLUTIONS
from picojoule.synops.counting_monitor import CountingMonitor

Score = Literal["drive", "taylor"]


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
    check_plain(chosen, "prune")
    return chosen


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
    detail, num_timesteps = synops.detail, synops.num_timesteps
    a_synop, a_mac = limit.factor(num_timesteps), limit.mac_factor(num_timesteps)
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
        gradient = original(layer).grad
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
        take_out(layer, part.reshape(layer.weight.shape))
