"""A budget in training: what its constraints measure, how hard they pull, what is scaled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.budget.constraints import Constraint, Reading
from picojoule.budget.measured import Measured, mean, measured
from picojoule.budget.pull import add_alone, add_bounded, gradients
from picojoule.budget.reach import Reach
from picojoule.budget.replaced import Parameters
from picojoule.budget.scales import warn_unscaled
from picojoule.budget.split_range import SplitRange
from picojoule.budget.steering import Steering
from picojoule.budget.wiring import Wiring, WiringWatch
from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.synops.distributed import group_of


class SteeredTraining:
    """Keeps constraints through gradients that the task bounds, and gains on currents.

    Args:
        monitor: attached to the model.
        reach: what training can change of each constraint; it has seen a first pass.
        margin: share of each bound to keep free.
        settings: of the controller.
        horizon: steps until limits are at their bounds; 0: by `tighten`.
        tighten: share of itself by which a limit falls in a step.
    """

    def __init__(
        self,
        monitor: CountingMonitor,
        reach: Reach,
        *,
        margin: float,
        settings: SplitRange,
        horizon: int,
        tighten: float,
    ) -> None:
        self._monitor, self._reach, self._margin = monitor, reach, margin
        self._watch: WiringWatch | None = WiringWatch(monitor)
        self._wiring: Wiring | None = None
        self._parameters = Parameters(monitor.model)
        self.steering = Steering(settings, horizon=horizon, tighten=tighten)
        self._micro: list[Measured] = []
        self._has_task = True
        self._decay = settings.decay
        self.averages: dict[
            str, Tensor
        ] = {}  # of what each constraint measures, given parts included

    @property
    def wiring(self) -> Wiring:
        """How the model is wired, known from the first pass with gradients after this was made; empty before.

        Neurons of others may be found in that pass only; they are watched in the next one.
        """
        if self._wiring is None:
            if self._watch is None or not self._watch.knows(self._monitor.spiking_layers):
                self.detach()
                self._watch = WiringWatch(self._monitor)
            if not self._watch.saw:
                return Wiring({}, {})
            self._wiring, self._watch = self._watch.wiring(), None
            self._parameters = Parameters(self._monitor.model)
            warn_unscaled(self._monitor.model, self._wiring.unscaled)
        return self._wiring

    def find_replaced(self) -> None:
        """Scale the parameters that the model has now: see :class:`picojoule.budget.replaced.Parameters`."""
        wiring = self.wiring
        if self._wiring is not None:  # known
            self._wiring = self._parameters.up_to_date(wiring)

    def detach(self) -> None:
        """Take the hooks off that wait for a first pass."""
        if self._watch is not None:
            self._watch.remove()

    # ---- a step of training

    def backward(
        self,
        constraints: Mapping[str, Constraint],
        task: Callable[[], object] | None,
    ) -> None:
        """The task's backward pass and the constraints' pull; without a task, of those alone that gains cannot keep."""
        self.find_replaced()
        batch = self._measured(constraints)
        self.steering.begin_anew(
            {name: batch.values[name] for name in batch.anew & batch.values.keys()}
        )
        self._micro.append(batch)
        self._has_task = task is not None
        if task is None:
            self._pull_alone(batch)
            return
        pulls = self.steering.pulls(batch.aims, batch.values)
        active = {n: kappa for n, kappa in pulls.items() if kappa > 0 and n in batch.terms}
        parameters = [p for p in self._monitor.model.parameters() if p.requires_grad]
        if not active:
            task()
            return
        term = sum((kappa * batch.terms[n] for n, kappa in active.items()), start=torch.zeros(()))
        pull = gradients(term, parameters, group_of("auto"))
        add_bounded(parameters, task, pull, self._shared(batch, active, parameters))

    def _pull_alone(self, batch: Measured) -> None:
        """Without a task: bounds on each neuron or channel pull at the weights into their layer, so that no other spends more."""
        steered = {n: aim for n, aim in batch.aims.items() if not aim.gains}
        for name, kappa in self.steering.pulls(steered, batch.values).items():
            drives = [self.wiring.drives[layer] for layer in steered[name].sources]
            parameters = list(dict.fromkeys(p for each in drives for p in each.last or each.all))
            parameters = [p for p in parameters if p.requires_grad]
            if kappa > 0 and parameters:
                pull = gradients(batch.terms[name], parameters, group_of("auto"))
                add_alone(parameters, pull, kappa)

    def _measured(self, constraints: Mapping[str, Constraint]) -> Measured:
        return measured(self._monitor, constraints, self.wiring, self._reach, self._margin)

    def _shared(
        self, batch: Measured, active: Mapping[str, float], parameters: list[nn.Parameter]
    ) -> dict[nn.Parameter, float]:
        """Kappa of each parameter: that of the layer which spends most, and of others by what they spend."""
        strongest = max(active.values())
        found: dict[nn.Parameter, float] = {}
        for name, kappa in active.items():
            sources = batch.aims[name].sources
            most = max((batch.spent[n] for n in sources), default=0.0)
            for layer in sources:
                share = batch.spent[layer] / most if most > 0 else 1.0
                for parameter in self.wiring.drives[layer].all:
                    found[parameter] = max(found.get(parameter, 0.0), kappa * min(share, 1.0))
        return {p: found.get(p, strongest) for p in parameters}

    @property
    def has_batch(self) -> bool:
        """Whether there was a backward pass since the last step."""
        return bool(self._micro)

    def step(self) -> dict[str, Reading]:
        """Move the controller and scale the currents; after the optimizer's step.

        Returns:
            What each constraint measured in this step.
        """
        batch, self._micro = mean(self._micro), []
        for name, reading in batch.readings.items():
            before = self.averages.get(name, reading.value)
            self.averages[name] = self._decay * before + (1 - self._decay) * reading.value
        factors = self.steering.step(
            batch.aims,
            batch.values,
            batch.spent,
            batch.rates,
            has_task=self._has_task,
            held=self._held(),
        )
        self.scale(factors)
        return batch.readings

    def _held(self) -> set[str]:
        """The spiking layers whose currents a factor would not reach now."""
        drives = self.wiring.drives.items()
        return {n for n, each in drives if each.undone or (each.last and not each.scaled)}

    @torch.no_grad()
    def scale(self, factors: Mapping[str, float]) -> None:
        """Multiply the currents into spiking layers, by name."""
        for layer, factor in factors.items():
            if factor != 1:
                for parameter in self.wiring.drives[layer].scaled:
                    parameter.mul_(factor)

    def kept_down(self) -> set[str]:
        """The constraints that training had to hold down."""
        return self.steering.pulled()

    # ---- resuming

    def state_dict(self) -> dict[str, Any]:
        """For an exact resume; what was scaled is in the weights."""
        return self.steering.state_dict() | {"averages": dict(self.averages)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.steering.load_state_dict(state)
        self.averages = {name: average.clone() for name, average in state["averages"].items()}
