"""Published penalties on synaptic operations, to be weighted by :class:`picojoule.budget.FixedPenalties`.

A layer whose count carries no gradient (the first one, whose input is given) is left out of them all: no
training can change it. Without gradients, as under `no_grad`, nothing is left and they are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from picojoule.budget.names import check_names
from picojoule.budget.penalties import check_target, synops_excess
from picojoule.synops.counting_monitor import CountingMonitor


@dataclass(frozen=True)
class SynopsExcess:
    """Squared hinge above a target: :func:`picojoule.budget.synops_excess` of a Monitor.

        sum over layers of max(SynOps / (target * (1 - margin)) - 1, 0)^2

    Args:
        target: what each layer may spend, SynOps per sample and time step, > 0.
        margin: share of the target to keep free, 0 <= margin < 1.
        layers: names of counted layers; none for all.

    Raises:
        ValueError: a number is out of its range, or, when called, a name is of no counted layer.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(1, 1), picojoule.layers.IAF(), nn.Linear(1, 6))
        >>> _ = [nn.init.ones_(p) for p in model[0].parameters()]
        >>> with picojoule.Monitor(model) as monitor:
        ...     _ = model(torch.ones(1, 4, 1))  # 2 spikes a step reach 6 synapses each
        >>> SynopsExcess(4.0)(monitor).item()
        4.0

    Source: the loss of sinabs' tutorial on training with fewer SynOps, divided by the target.
    """

    target: float
    margin: float = 0.0
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_target("SynopsExcess", self.target)
        if not 0 <= self.margin < 1:
            raise ValueError(f"SynopsExcess: margin is {self.margin}, expected a share in [0, 1).")

    def __call__(self, monitor: CountingMonitor) -> Tensor:
        """The penalty, a scalar without unit."""
        trained = _trained(self, monitor, self.layers)
        return synops_excess(trained.values(), self.target * (1 - self.margin))


@dataclass(frozen=True)
class FanOutWeighted:
    """Activity weighted by fan-out, which is the SynOps of all layers, by absolute value or squared.

        (SynOps / unit)^order;   SynOps = sum over neurons of fan_out * rate

    Args:
        order: 1, or 2 to push harder the more is spent.
        unit: SynOps per sample and time step that count as 1, > 0; 1.0 for the absolute number. None for
            what the same layers spend if each value is 1 at each step: a share, with weights near 1.
        layers: names of counted layers; none for all.

    Raises:
        ValueError: the order is not 1 or 2, the unit is not > 0, or, when called, a name is of no
            counted layer.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(1, 1), picojoule.layers.IAF(), nn.Linear(1, 6))
        >>> _ = [nn.init.ones_(p) for p in model[0].parameters()]
        >>> with picojoule.Monitor(model) as monitor:
        ...     _ = model(torch.ones(1, 4, 1))  # 2 spikes a step reach 6 synapses each
        >>> FanOutWeighted(unit=1.0)(monitor).item(), FanOutWeighted()(monitor).item()
        (12.0, 2.0)

    Source: Sorbaro, Liu, Bortone and Sheik (Front. Neurosci. 14:662, 2020) put the SynOps of all layers, that is,
    activity times fan-out, into the loss, in training of rate networks that become spiking. Theirs is, from memory,
    the squared distance to a target relative to the target; without one, order 2 is its form.
    """

    order: Literal[1, 2] = 1
    unit: float | None = None
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise ValueError(f"FanOutWeighted: order is {self.order!r}; choose 1 or 2.")
        if self.unit is not None:
            check_target("FanOutWeighted", self.unit)

    def __call__(self, monitor: CountingMonitor) -> Tensor:
        """The penalty, a scalar without unit."""
        trained = _trained(self, monitor, self.layers)
        if self.unit is None:
            unit = _added(_dense(monitor, trained)).clamp(min=1.0)
        else:
            unit = torch.tensor(self.unit)
        share: Tensor = (_added(trained) / unit) ** self.order
        return share


@dataclass(frozen=True)
class SSP:
    """Spiking synaptic penalty: the energy metric itself, spikes times the synapses that they reach.

        sum over layers of dense * (SynOps / dense)^p / p, divided by the sum over layers of dense

    where dense is what a layer spends if each value is 1 at each step, so that SynOps / dense is its
    firing rate, weighted by fan-out. With p = 1, which the paper recommends, it is the share of dense
    SynOps that is spent.

    Args:
        p: exponent, >= 1. Above 1 it pushes busy layers more than quiet ones.
        layers: names of counted layers; none for all.

    Raises:
        ValueError: p is below 1, or, when called, a name is of no counted layer.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(1, 1), picojoule.layers.IAF(), nn.Linear(1, 6))
        >>> _ = [nn.init.ones_(p) for p in model[0].parameters()]
        >>> with picojoule.Monitor(model) as monitor:
        ...     _ = model(torch.ones(1, 4, 1))  # 2 spikes a step reach 6 synapses each
        >>> SSP()(monitor).item(), SSP(p=2.0)(monitor).item()
        (2.0, 2.0)

    Source: Suetake, Ushimaru, Saiin and Sawada, "Spiking Synaptic Penalty" (arXiv 2302.01500, 2023): E_SNN = p * E_AC * E[Omega_syn], and
    p = 1 does best. The paper has the exponent, from memory, on each spike. Spikes are 0 or 1 there, so it changes
    the slope alone; here it is on the rate of a layer, since rates are what a Monitor keeps. At p = 1 both
    are the same, up to the scale: theirs is a sum, not a share.
    """

    p: float = 1.0
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.p < float("inf"):
            raise ValueError(f"SSP: p is {self.p}, expected a finite number >= 1.")

    def __call__(self, monitor: CountingMonitor) -> Tensor:
        """The penalty, a scalar without unit; at most 1 / p of spikes that are 0 or 1."""
        trained = _trained(self, monitor, self.layers)
        dense = {n: most.clamp(min=1e-30) for n, most in _dense(monitor, trained).items()}
        spent = {n: dense[n] * (trained[n] / dense[n]) ** self.p / self.p for n in trained}
        return _added(spent) / _added(dense).clamp(min=1e-30)


def _trained(term: object, monitor: CountingMonitor, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """SynOps by layer, where training can change them."""
    counts = monitor.synops
    check_names(layers, tuple(counts), "counted layer", type(term).__name__)
    values = {name: counts[name] for name in layers or counts}
    return {name: value for name, value in values.items() if value.requires_grad}


def _dense(monitor: CountingMonitor, trained: dict[str, Tensor]) -> dict[str, Tensor]:
    dense = monitor.dense
    return {name: dense[name].detach() for name in trained}


def _added(values: dict[str, Tensor]) -> Tensor:
    return sum(values.values(), start=torch.zeros(()))
