"""Published penalties on firing rates, to be weighted by :class:`picojoule.budget.FixedPenalties`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from picojoule.budget.names import check_names
from picojoule.budget.penalties import check_target, rate_shortfall
from picojoule.synops.counting_monitor import CountingMonitor


@dataclass(frozen=True)
class RateShortfall:
    """Squared hinge below a least firing rate: :func:`picojoule.budget.rate_shortfall` of a Monitor.

        sum over layers of mean over neurons of max(1 - rate / min_rate, 0)^2

    Args:
        min_rate: what each neuron should fire at least, spikes per time step, > 0.
        layers: names of spiking layers; none for all.

    Raises:
        ValueError: the rate is not > 0, or, when called, a name is of no spiking layer.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> with picojoule.Monitor(nn.Sequential(picojoule.layers.IAF())) as monitor:
        ...     _ = monitor.model(torch.full((1, 4, 1), 0.5))
        >>> RateShortfall(1.0)(monitor)  # one neuron with a rate of 0.5
        tensor(0.2500)

    Source: the loss of sinabs' tutorial on training with fewer SynOps, divided by the minimum.
    """

    min_rate: float
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_target("RateShortfall", self.min_rate)

    def __call__(self, monitor: CountingMonitor) -> Tensor:
        """The penalty, a scalar without unit; at most 1 a layer."""
        return rate_shortfall(_rates(self, monitor, self.layers), self.min_rate)


@dataclass(frozen=True)
class L1Rates:
    """Mean firing rate of all neurons, each of which is pushed down as hard as any other.

        sum over neurons of |rate| / number of neurons

    Args:
        layers: names of spiking layers; none for all.

    Raises:
        ValueError: when called, a name is of no spiking layer.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> with picojoule.Monitor(nn.Sequential(picojoule.layers.IAF())) as monitor:
        ...     _ = monitor.model(torch.tensor([[[0.5, 0.0], [0.5, 0.0]]]))
        >>> L1Rates()(monitor)  # rates of 0.5 and 0
        tensor(0.2500)

    Source: common property; the sum over neurons is `l1_rate_sparsity` of snnTorch (`snntorch.functional.reg`).
    """

    layers: tuple[str, ...] = ()

    def __call__(self, monitor: CountingMonitor) -> Tensor:
        """The penalty, a scalar in spikes per neuron and time step."""
        return _neurons(self, monitor, self.layers).abs().mean()


@dataclass(frozen=True)
class L2Rates:
    """Mean squared firing rate of all neurons: pushes the busiest most and never quite silences one.

        sum over neurons of rate^2 / number of neurons

    Args:
        layers: names of spiking layers; none for all.

    Raises:
        ValueError: when called, a name is of no spiking layer.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> with picojoule.Monitor(nn.Sequential(picojoule.layers.IAF())) as monitor:
        ...     _ = monitor.model(torch.tensor([[[0.5, 0.0], [0.5, 0.0]]]))
        >>> L2Rates()(monitor)  # rates of 0.5 and 0
        tensor(0.1250)

    Source: common property; a target of 0 in the homeostatic L2 penalties of the field.
    """

    layers: tuple[str, ...] = ()

    def __call__(self, monitor: CountingMonitor) -> Tensor:
        """The penalty, a scalar in (spikes per neuron and time step) squared."""
        return _neurons(self, monitor, self.layers).square().mean()


@dataclass(frozen=True)
class Hoyer:
    """Squared Hoyer ratio of each layer's rates: which neurons fire, not how much.

        mean over layers of (sum |rate|)^2 / (neurons * sum rate^2)

    The share of neurons that fire if all that fire do so alike, between 1 / neurons and 1; 0 for a silent
    layer. It stays the same if all rates are doubled, so it makes few neurons carry the activity
    without lowering it.

    Args:
        layers: names of spiking layers; none for all.

    Raises:
        ValueError: when called, a name is of no spiking layer.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> with picojoule.Monitor(nn.Sequential(picojoule.layers.IAF())) as monitor:
        ...     _ = monitor.model(torch.tensor([[[0.5, 0.0], [0.5, 0.0]]]))
        >>> Hoyer()(monitor)  # one of two neurons fires
        tensor(0.5000)

    Source: the ratio of norms is of Hoyer (JMLR 5, 2004), its square as a regularizer of Yang, Wen and Li
    ("DeepHoyer", ICLR 2020). Datta, Liu and Beerel (arXiv 2212.10170, 2022) brought it to spiking networks; there
    it is of a layer's clipped activations and sets its threshold, too. Here it is of firing rates, and is divided
    by the number of neurons.
    """

    layers: tuple[str, ...] = ()

    def __call__(self, monitor: CountingMonitor) -> Tensor:
        """The penalty, a scalar without unit, between 0 and 1."""
        ratios = [_hoyer(rates) for rates in _rates(self, monitor, self.layers)]
        return torch.stack(ratios).mean() if ratios else torch.zeros(())


def _hoyer(rates: Tensor) -> Tensor:
    squares = rates.square().sum()
    silent = squares == 0  # of 0 / 0, which is NaN in the gradient even where it is not taken
    divisor = torch.where(silent, torch.ones_like(squares), squares)
    return rates.abs().sum().square() / divisor / max(rates.numel(), 1)


def _rates(term: object, monitor: CountingMonitor, layers: tuple[str, ...]) -> list[Tensor]:
    rates = monitor.rates
    check_names(layers, tuple(rates), "spiking layer", type(term).__name__)
    return [rates[name] for name in layers or rates]


def _neurons(term: object, monitor: CountingMonitor, layers: tuple[str, ...]) -> Tensor:
    """Rates of all neurons in a row; one 0 if there are none, whose mean is 0."""
    rates = [rates.flatten() for rates in _rates(term, monitor, layers)]
    return torch.cat(rates) if rates else torch.zeros(1)
