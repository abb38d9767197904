"""Weights taken away by what they save: at once, or step by step in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import torch

from picojoule.budget.limits import Limit
from picojoule.budget.masks import Prunable, kept, put_back_on_failure
from picojoule.budget.synapses import (
    Score,
    costs,
    importances,
    prunable,
    take_away,
)
from picojoule.layers import reset_states
from picojoule.synops.counting_monitor import CountingMonitor


class Pruned(NamedTuple):
    """What pruning has done.

    Args:
        before: what the limited layers spent, in the unit of the bound.
        after: what they spend now, at most the bound.
        kept: share of each layer's weights that is left, 0 to 1.
    """

    before: float
    after: float
    kept: dict[str, float]


def prune(
    monitor: CountingMonitor,
    forward: Callable[[], object],
    limit: Limit,
    *,
    layers: Sequence[str] = (),
    score: Score = "drive",
    rounds: int = 5,
) -> Pruned:
    """Take synapses away, those worth least for what they cost first, until a limit is kept.

        rank = worth(w) / cost(w);   cost = presynaptic rate times uses of the weight times price

    After each of some rounds the model runs again, since what one layer loses changes the rates of the
    next. A given input is no obstacle: a first layer spends less with fewer synapses. Masks are those of
    :mod:`torch.nn.utils.prune`; they stay through further training (with a Budget, say), are part of the
    `state_dict` (load it after :func:`picojoule.budget.make_prunable`), and `prune.remove` makes them final.

    Args:
        monitor: attached, with `weights="nonzero"` and `detail=("channel",)`; with `accumulate=True` if
            `forward` calls the model several times.
        forward: runs the model on the data to measure on; states are reset before.
        limit: a :class:`picojoule.budget.SynopsLimit` or :class:`picojoule.budget.EnergyLimit`.
        layers: names of layers that may lose weights; none for all under the limit.
        score: what a weight is worth: "drive", its share of what its layer passes on, |w| * cost by their
            sum, or "taylor", |w * gradient| of a loss whose gradients the weights hold.
        rounds: in how many equal ratios to come down.

    Returns:
        What was spent and is spent, and what is left of each layer.

    Raises:
        ValueError: the limit cannot be kept by pruning these layers (which are as they were), a name is wrong, or
            the monitor counts pruned weights.
        FloatingPointError: what is spent is not finite.

    Example:
        >>> import picojoule
        >>> from picojoule.budget import SynopsLimit
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(20, 50), picojoule.layers.IAF(), nn.Linear(50, 2))
        >>> monitor = picojoule.Monitor(model, weights="nonzero", detail=("channel",)).attach()
        >>> pruned = prune(monitor, lambda: model(torch.ones(1, 10, 20)), SynopsLimit(bound=500.0))
        >>> pruned.before > 1000, pruned.after <= 500
        (True, True)

    Source: pruning guided by energy instead of the number of weights is of Yang, Chen and Sze (arXiv 1611.05128,
    CVPR 2017), there layer by layer; for spiking networks and SynOps of Shi, Ding, Hao and Yu (ICLR 2024), who take
    neurons away, too. The score "taylor" is of Molchanov et al. (arXiv 1611.06440, ICLR 2017), there of feature maps.
    """
    _check(monitor, limit, score)
    if rounds < 1:
        raise ValueError(f"prune: rounds is {rounds}, expected a number >= 1.")
    before = spent = _measured(monitor, forward, limit)
    chosen = prunable(monitor, limit, layers)
    done = 0
    with put_back_on_failure([(layer, "weight") for layer in chosen.values()]):
        while spent > limit.bound:
            done += 1
            aim = before * (limit.bound / before) ** min(done / rounds, 1.0)
            # what is estimated comes out a little different; each further round asks for more
            _prune_to(monitor, limit, chosen, score, aim * 0.98 ** max(done - rounds, 0))
            spent = _measured(monitor, forward, limit)
    return Pruned(before, spent, kept(chosen))


class GradualPruning:
    """Pruning in the course of training: each few steps some synapses go, on the way down to a limit.

        target[k] = start * (bound / start)^min(k / steps, 1)

    For a training loop: `loss.backward(); optimizer.step(); pruning.step()`. After `steps` it goes on to
    watch: where rates have grown, more synapses go. A Budget on the same monitor may be in the loss.

    Args:
        monitor: attached, with `weights="nonzero"` and `detail=("channel",)`.
        limit: a :class:`picojoule.budget.SynopsLimit` or :class:`picojoule.budget.EnergyLimit`.
        steps: training steps until the limit is reached.
        every: steps between prunings.
        margin: share of the limit that is kept free, so that data it has not seen keep it.
        layers: names of layers that may lose weights; none for all under the limit.
        score: as in :func:`picojoule.budget.prune`; "taylor" takes the gradients of the step.

    Raises:
        ValueError: a number is out of its range, or the monitor counts pruned weights; from `step()`, if
            the limit cannot be kept by pruning these layers or a name is wrong.

    Example:
        >>> import picojoule
        >>> from picojoule.budget import SynopsLimit
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(20, 50), picojoule.layers.IAF(), nn.Linear(50, 2))
        >>> monitor = picojoule.Monitor(model, weights="nonzero", detail=("channel",)).attach()
        >>> pruning = GradualPruning(monitor, SynopsLimit(bound=500.0), steps=20, every=5)
        >>> for _ in range(30):
        ...     picojoule.reset_states(model)
        ...     _ = model(torch.ones(1, 10, 20))  # and the rest of a training step
        ...     pruning.step()
        >>> _ = model(torch.ones(1, 10, 20))
        >>> monitor.synops.total.item() <= 500
        True
    """

    def __init__(
        self,
        monitor: CountingMonitor,
        limit: Limit,
        *,
        steps: int,
        every: int = 10,
        margin: float = 0.01,
        layers: Sequence[str] = (),
        score: Score = "drive",
    ) -> None:
        _check(monitor, limit, score)
        if not (steps >= 1 and every >= 1 and 0 <= margin < 1):
            raise ValueError(
                "GradualPruning: expected steps >= 1, every >= 1 and 0 <= margin < 1, got "
                f"{steps}, {every} and {margin}."
            )
        self._monitor, self._limit, self._layers = monitor, limit, tuple(layers)
        self._steps, self._every, self._score = steps, every, score
        self._bound = limit.bound * (1 - margin)
        self._done = 0
        self._start: float | None = None

    def step(self) -> None:
        """Prune if it is time to; after `optimizer.step()`."""
        self._done += 1
        if self._start is not None and self._done % self._every:
            return
        with torch.no_grad():
            spent = _spent(self._monitor, self._limit)
            self._start = spent if self._start is None else self._start
            share = min(self._done / self._steps, 1.0)
            target = max(self._start, self._bound) ** (1 - share) * self._bound**share
            if spent > target:
                chosen = prunable(self._monitor, self._limit, self._layers)
                _prune_to(self._monitor, self._limit, chosen, self._score, target)

    def state_dict(self) -> dict[str, Any]:
        """Where on the way down it is; the masks are in the model's."""
        return {"done": self._done, "start": self._start}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: it is of something else.
        """
        if state.keys() != self.state_dict().keys():
            raise ValueError(
                f"GradualPruning: the saved state has {', '.join(map(str, state)) or 'nothing'}, expected "
                f"{', '.join(self.state_dict())}."
            )
        self._done, self._start = state["done"], state["start"]


def _prune_to(
    monitor: CountingMonitor, limit: Limit, layers: dict[str, Prunable], score: Score, target: float
) -> None:
    """Prune by the monitor's last pass, until the estimate of what is spent is the target."""
    spent = _spent(monitor, limit)
    cost = costs(monitor, limit, layers)
    fixed = spent - sum(each.double().sum().item() for each in cost.values())
    nothing_left = not any(bool(each.any()) for each in cost.values())
    if nothing_left or fixed > limit.bound * (1 + 1e-6):
        raise ValueError(
            f"prune: {limit.name} = {limit.bound:g} cannot be kept by pruning {', '.join(map(repr, layers))}: "
            f"{fixed:.4g} of the {spent:.4g} that are spent come from elsewhere. Raise the limit, or let more "
            "layers lose weights."
        )
    take_away(layers, cost, importances(layers, cost, score), spent - max(target, fixed))


def _measured(monitor: CountingMonitor, forward: Callable[[], object], limit: Limit) -> float:
    monitor.reset()
    reset_states(monitor.model)
    with torch.no_grad():
        forward()
    return _spent(monitor, limit)


def _spent(monitor: CountingMonitor, limit: Limit) -> float:
    limit.check(monitor, "prune")
    spent: float = limit.read(monitor).value.item()
    if not math.isfinite(spent):
        raise FloatingPointError(
            f"prune: {limit.name} is {spent} now. The model's weights or its input are not finite; see "
            "picojoule.check_finite(model), which names the layer."
        )
    return spent


def _check(monitor: CountingMonitor, limit: object, score: str) -> None:
    if not isinstance(limit, Limit):
        raise TypeError(
            f"prune: the limit is {limit!r}, expected a SynopsLimit or an EnergyLimit, such as SynopsLimit(bound=1e5)."
        )
    if score not in get_args(Score):
        raise ValueError(f"prune: score is {score!r}; choose one of {list(get_args(Score))}.")
    if monitor.weights != "nonzero":
        raise ValueError(
            "prune: the monitor counts pruned weights as synapses, so pruning would save nothing. Make it "
            "Monitor(model, weights='nonzero', detail=('channel',))."
        )
