"""Connections that go as spikes do: what `Budget(synapses=...)` takes away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast, get_args

from picojoule.budget.connections import Connections
from picojoule.budget.constraints import Constraint
from picojoule.budget.density import POWER, Kind, can_lose_connections, density, share_left
from picojoule.budget.masks import Prunable, original
from picojoule.budget.reach import Reach
from picojoule.budget.steered import SteeredTraining
from picojoule.synops.counting_monitor import CountingMonitor

Synapses = Literal["keep"] | Kind


class FewerConnections:
    """The connections of each layer under a limit, taken away as training comes down to it.

    Nothing is masked before `begin`, and nothing ever with "keep". How many connections stay follows from the room under the limit
    and from what is spent, anew at each step; which stay is up to :class:`picojoule.budget.Connections`.

    Args:
        monitor: whose counts say which layers spend.
        steered: whose averages say how much.
        reach: says what of it is given, and what room a limit leaves.
        synapses: what becomes of them.
        steps: training steps in all, until limits are at their bounds after a share `end` of them.
        end: this share.
        margin: share of each limit to stay under.

    Raises:
        ValueError: `synapses` is no choice, has no steps, or saves nothing in this monitor.
    """

    def __init__(
        self,
        monitor: CountingMonitor,
        steered: SteeredTraining,
        reach: Reach,
        *,
        synapses: Synapses,
        steps: int | None,
        end: float,
        margin: float,
    ) -> None:
        _check(synapses, steps, monitor)
        self.synapses = synapses
        self._monitor, self._steered, self._reach = monitor, steered, reach
        self._steps, self._end, self._margin = steps or 0, end, margin
        self._connections: Connections | None = None
        self._saved: Mapping[str, Any] | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether no connection ever goes."""
        return self.synapses == "keep"

    def begin(self, constraints: Mapping[str, Constraint]) -> None:
        """Mask the layers that lose connections, once; after a backward pass, since "fixed" changes weights at once."""
        if self.synapses == "keep" or self._connections is not None:
            return
        shares = self._first_shares(constraints, self.synapses)
        if self._saved is not None:  # what was drawn is not drawn again
            shares = self._left(shares, self.synapses)
        thin = self.synapses == "thin"
        self._connections = Connections(
            self._monitor.model,
            shares,
            kind=self.synapses,
            steps=self._steps,
            end=self._end,
            feeds={layer: self._readers(layer) for layer in shares} if thin else None,
        )
        self._take_over()

    def step(self, constraints: Mapping[str, Constraint]) -> None:
        """Take connections away if it is time to; after the optimizer's step."""
        self.begin(constraints)
        if self._connections is not None:
            left = self._connections.densities
            self._connections.step(shares=self._shares(constraints, left))

    def state_dict(self) -> dict[str, Any] | None:
        """How far it is; None before it begins."""
        return None if self._connections is None else self._connections.state_dict()

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Take over what `state_dict` gave, now or when it begins."""
        self._saved = state
        self._take_over()

    def _take_over(self) -> None:
        if self._connections is not None and self._saved is not None:
            self._connections.load_state_dict(self._saved)

    def _first_shares(self, constraints: Mapping[str, Constraint], kind: Kind) -> dict[str, float]:
        """The share of connections to end with, of each layer under a limit that can lose some.

        What is spent is spent with those that masks from before have left.
        """
        found: dict[str, float] = {}
        synops = self._monitor.synops
        for constraint in constraints.values():
            value, fixed, _ = constraint.read(self._monitor)
            spent = (value - fixed).detach().max().item()
            if not (constraint.spends and value.requires_grad and spent > 0):
                continue
            share = density(self._reach.room(constraint, self._margin), spent)
            layers = constraint.counted_layers or tuple(synops)
            spending = [layer for layer in layers if synops[layer].requires_grad]
            for layer in can_lose_connections(self._monitor.model, spending, kind):
                found[layer] = min(found.get(layer, 1.0), share)
        return {layer: found[layer] * left for layer, left in self._left(found, kind).items()}

    def _left(self, layers: Iterable[str], kind: Kind) -> dict[str, float]:
        """The share of some layers' connections that masks have left."""
        modules = dict(self._monitor.model.named_modules())
        return {name: share_left(cast("Prunable", modules[name]), kind) for name in layers}

    def _shares(
        self, constraints: Mapping[str, Constraint], left: Mapping[str, float]
    ) -> dict[str, float]:
        """The share of connections to end with, by layer, from what is spent with those that are left now."""
        found: dict[str, float] = {}
        for name, average in self._steered.averages.items():
            constraint = constraints[name]
            spent = average.max().item() - self._reach.given(name)
            if constraint.spends and spent > 0:
                ratio = self._reach.room(constraint, self._margin) / spent
                for layer in constraint.counted_layers or left:
                    if layer in left:
                        share = left[layer] * ratio**POWER
                        found[layer] = min(found.get(layer, 1.0), share)
        return found

    def _readers(self, layer: str) -> tuple[str, ...]:
        """What reads the output channels of a layer before and after they spike: normalisations, and counted layers."""
        modules = dict(self._monitor.model.named_modules())
        weight, wiring = original(modules[layer]), self._steered.wiring
        found: list[str] = []
        for name, drive in wiring.drives.items():
            if any(each is weight for each in drive.all):
                own = {id(parameter) for parameter in drive.all}
                found += [
                    n
                    for n, module in modules.items()
                    if n not in (layer, name)
                    and any(id(p) in own for p in module.parameters(recurse=False))
                ]
                found += wiring.reached[name]
        return tuple(dict.fromkeys(found))


def _check(synapses: str, steps: int | None, monitor: CountingMonitor) -> None:
    choices = ["keep", *get_args(Kind)]
    if synapses not in choices:
        raise ValueError(f"Budget: synapses is {synapses!r}; choose one of {choices}.")
    if synapses != "keep" and not steps:
        raise ValueError(
            f"Budget: synapses={synapses!r} needs steps=, the number of training steps, to know when to take them away."
        )
    if synapses in ("prune", "fixed") and monitor.weights != "nonzero":
        raise ValueError(
            f"Budget: synapses={synapses!r} saves nothing in a monitor that counts pruned weights. Make it "
            "Monitor(model, weights='nonzero'), or choose synapses='thin' for chips where a zero weight costs as much."
        )
