"""The Budget: what a network may spend, kept by training."""

# More than 250 lines: the facade of all budgets; two thirds of it are the docstrings of its options and methods.

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from picojoule.budget.checks import check_count, check_kinds, check_share
from picojoule.budget.constraints import Constraint, Per, RateOf
from picojoule.budget.contest import Contest
from picojoule.budget.declare import Bound, Declaration, Scope
from picojoule.budget.feasibility import contradictions
from picojoule.budget.fewer_connections import FewerConnections, Synapses
from picojoule.budget.finite_sum import finite_sum
from picojoule.budget.fresh_passes import FreshPasses
from picojoule.budget.limits import turned_dense
from picojoule.budget.multipliers import Controller
from picojoule.budget.penalised import PenalisedTraining
from picojoule.budget.reach import Reach
from picojoule.budget.saturation import saturated
from picojoule.budget.schedule import Schedule
from picojoule.budget.split_range import SplitRange
from picojoule.budget.steered import SteeredTraining
from picojoule.budget.trim import Trimmed, Trimming
from picojoule.budget.violation import BudgetWarning, Judged, Violation, violations
from picojoule.energy import EnergyProfile
from picojoule.printable import printable
from picojoule.synops.counting_monitor import CountingMonitor

_BESIDE = "beside"  # in a saved state: what both ways of training keep
_DOWN_AFTER = 0.4  # of the steps, until limits are at their bounds


class Budget:
    """Constraints on what a Monitor sees, kept by training, with no weight to set.

        budget.backward(task_loss);  optimizer.step();  budget.step()

    The budget's pull on each gradient is bounded by the task's own, and currents are scaled where that is not enough
    (:class:`picojoule.budget.SplitRange`); connections go, too, with `synapses=`. After training `trim` ends each limit just
    inside. For loops that add up a loss there are multipliers, which grow and shrink by shares of themselves
    (:class:`picojoule.budget.Controller`):

        loss = task_loss + budget.penalty();  loss.backward();  optimizer.step();  budget.step()

    Limits come down from where the model is: over 40 % of `steps`, else by 1.5 % a step, and more slowly from 1.6 times the
    bound on.

    A limit that is exceeded by what training cannot change (the SynOps of a layer whose input is given) is said once, in
    a :class:`picojoule.budget.BudgetWarning` and in `unreachable`; what training can change of it is driven down to a floor
    that the message names. A floor that provably spends more than a limit allows is in `infeasible`, one that training
    did not get together with a limit in `not_reached`, with what of each would fit; the limit wins. All
    stay violations, and the budget is not `met`, unless you declare them `unreachable`.

    Args:
        monitor: attached to the model; one with `accumulate=True` needs a `reset()` before each training step.
        synops_per_timestep: SynOps; one number, or one for each layer or group by name.
        synops_per_sample: the same over a sample's time steps.
        synops_per_second: the same per second; needs `dt_s`.
        dt_s: length of a time step, s.
        energy_j: joules per sample, in the same way; needs `profile`.
        profile: a name, or a profile of your own, for `energy_j`.
        per: what one number holds for: each "layer", each "group", or the "model" ("sample" is the same: a
            whole sample in the whole model).
        groups: layers that share a limit, such as those on one core, by a name of your own.
        min_rate: spikes per neuron and time step; for all spiking layers, or by name.
        max_rate: the same.
        rate_of: whose rates: the mean of each "layer", of each "channel", or each "neuron".
        rate_percentile: of the layer's neurons, 0 to 100, instead of their mean.
        constraints: further ones, made by hand.
        unreachable: what you know cannot be met, by the constraint's name, as messages have it, or by its layer's or
            group's: it is not warned of, and `met` does not ask for it.
        margin: share of each bound that training keeps free, so that data it has not seen keep it.
        within: share of a limit that may be left over: spending less than that is a violation, too; None: any.
        warmup_steps: steps without a penalty.
        tighten: share of itself by which a limit comes down in a step at most; 1: at once.
        steps: of training in all; limits of `backward()` are then at their bounds after 40 % of them.
        synapses: what becomes of the connections under a limit, with `backward()`: "keep" them; "prune" those of the smallest
            weights, on the way down to the limit; "fixed", drawn before the first step; or "thin" out whole channels. All
            but "keep" need `steps`; "prune" and "fixed" a monitor with `weights="nonzero"`.
        controller: how the multipliers of `penalty()` move.
        split_range: how `backward()` pulls and scales.

    Raises:
        ValueError: constraints contradict each other, are not > 0, or name what is not in the model, or the
            model has no spiking layer; from the first `penalty()`, if a named layer turns out to have no
            synapses, a count has no price, or `unreachable` names no constraint.

    Example:
        >>> import picojoule
        >>> from torch import nn
        >>> _ = torch.manual_seed(1)
        >>> model = nn.Sequential(nn.Linear(4, 50), picojoule.layers.IAF(), nn.Linear(50, 2))
        >>> monitor = picojoule.Monitor(model).attach()
        >>> budget = Budget(monitor, synops_per_timestep={"2": 10.0})
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        >>> x = torch.ones(8, 10, 4)
        >>> for _ in range(300):
        ...     picojoule.reset_states(model)
        ...     task_loss = -model(x).mean()
        ...     loss = task_loss + budget.penalty()
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        ...     budget.step()
        >>> budget.met, budget.violations()
        (True, [])
    """

    def __init__(
        self,
        monitor: CountingMonitor,
        *,
        synops_per_timestep: Bound | None = None,
        synops_per_sample: Bound | None = None,
        synops_per_second: Bound | None = None,
        dt_s: float | None = None,
        energy_j: Bound | None = None,
        profile: str | EnergyProfile | None = None,
        per: Scope = "model",
        groups: Mapping[str, Sequence[str]] | None = None,
        min_rate: Bound | None = None,
        max_rate: Bound | None = None,
        rate_of: RateOf = "layer",
        rate_percentile: float | None = None,
        constraints: Sequence[Constraint] = (),
        unreachable: Sequence[str] = (),
        margin: float = 0.01,
        within: float | None = None,
        warmup_steps: int = 0,
        tighten: float = 0.015,
        steps: int | None = None,
        synapses: Synapses = "keep",
        controller: Controller = Controller(),  # noqa: B008
        split_range: SplitRange | None = None,
    ) -> None:
        check_kinds(
            groups=(groups, Mapping),
            constraints=(constraints, Sequence),
            unreachable=(unreachable, Sequence),
            controller=(controller, Controller),
            split_range=(split_range, SplitRange),
        )
        check_share("margin", margin)
        check_count("steps", steps, 1, optional=True)
        check_count("warmup_steps", warmup_steps, 0)
        if within is not None and (isinstance(within, str) or not margin < within < 1):
            raise ValueError(
                f"Budget: within is {within!r}, expected a share in (margin, 1) with a margin of {margin}, which training "
                "keeps free, or None."
            )
        stated: dict[Per, Bound | None] = {
            "timestep": synops_per_timestep,
            "sample": synops_per_sample,
            "second": synops_per_second,
        }
        self._declaration = Declaration(
            synops={unit: bound for unit, bound in stated.items() if bound is not None},
            dt_s=dt_s,
            energy_j=energy_j,
            profile=profile,
            per=per,
            groups=dict(groups or {}),
            min_rate=min_rate,
            max_rate=max_rate,
            rate_of=rate_of,
            percentile=rate_percentile,
            more=tuple(constraints),
            unreachable=tuple(unreachable),
        )
        self._declaration.check(monitor)
        self._monitor, self._within = monitor, within
        self._constraints: dict[str, Constraint] = {}
        self._declared: frozenset[str] = frozenset()
        self._looked = False
        self._reach = Reach(controller.decay)
        self._penalised = PenalisedTraining(
            monitor,
            self._reach,
            margin=margin,
            controller=controller,
            schedule=Schedule(warmup_steps=warmup_steps, tighten=tighten),
        )
        self._steered = SteeredTraining(
            monitor,
            self._reach,
            margin=margin,
            settings=split_range or SplitRange(),
            horizon=round(_DOWN_AFTER * (steps or 0)),
            tighten=tighten,
        )
        self._connections = FewerConnections(
            monitor,
            self._steered,
            self._reach,
            synapses=synapses,
            steps=steps,
            end=_DOWN_AFTER,
            margin=margin,
        )
        self._contest, self._passes = Contest(), FreshPasses(monitor)
        self._saved_names: frozenset[str] | None = None
        self._saved_by: str | None = None  # "backward" or "penalty"
        self._trimmed: Mapping[str, Tensor] = {}
        self._anew = False  # whether weights are others than the averages are of
        self._told: set[str] = set()
        self.infeasible: dict[str, str] = {}
        self.not_reached: dict[str, str] = {}

    # ---- training

    def backward(
        self, loss: Tensor | None = None, *, via: Callable[[Tensor], object] | None = None
    ) -> None:
        """The backward pass of the task's loss, with the budget's pull added to each gradient.

            grad = g_task + kappa * |g_task| / |g_budget| * g_budget;   kappa <= 2, of each tensor by what it spends

        In place of `loss.backward()`. The pull never exceeds twice the task's own gradient, so the units of the loss do not
        matter and nothing winds up; where that is not enough, `step()` scales weights (:class:`picojoule.budget.SplitRange`).
        Micro-batches call it one after another, each with its part of the loss.

        Args:
            loss: of the task, a scalar; None for a budget without a task, in which gains act alone.
            via: what runs the backward pass, such as a GradScaler's or Fabric's; `loss.backward()` if omitted.

        Raises:
            FloatingPointError: something that is limited is not finite.
            RuntimeError: the monitor has seen no forward pass with gradients, or `penalty()` was called before.
        """
        if self._penalised.has_begun:
            raise RuntimeError(
                "Budget: backward() after penalty(). A training loop uses one of them throughout."
            )
        if not self._steered.has_batch:
            self._passes.check_new()
        self._check_gradients()
        _check_same_way(self._saved_by, "backward")
        self._passes.note_read()
        self._look()
        constraints = {n: each for n, each in self._all().items() if n not in self.infeasible}
        task = None
        if loss is not None:
            run, value = via or Tensor.backward, loss
            task = lambda: run(value)  # noqa: E731
        self._steered.backward(constraints, task)

    def begin(self) -> None:
        """Take the monitor's last forward pass for the start, as the first `backward()` or `penalty()` else does.

        From then on `unreachable` and `infeasible` say what no training can meet, and layers that lose connections have
        their masks: call the model again before a backward pass. `synapses="thin"` needs the budget to be made before the pass.

        Raises:
            RuntimeError: the monitor has seen no forward pass, or gradients are switched off.
            ValueError: as from `penalty()`.
        """
        if not torch.is_grad_enabled():
            raise RuntimeError(
                "Budget: begin() under no_grad: only gradients tell what training can change. Call it, and the model "
                "before it, outside."
            )
        self._look()
        # while the pass is there: a run that is over is trimmed without another
        _ = self._steered.wiring
        self._connections.begin(self._constraints)

    def penalty(self) -> Tensor:
        """The term for the loss, from the monitor's last forward pass; 0 if all is kept.

        Raises:
            FloatingPointError: it is not finite.
            RuntimeError: the monitor has seen no forward pass.
            ValueError: what is bounded for each neuron or channel has another shape than before.
        """
        if not self._connections.keeps_all:
            raise RuntimeError(
                f"Budget: synapses={self._connections.synapses!r} needs budget.backward(loss) in place of a penalty() in the loss."
            )
        if torch.is_grad_enabled():
            self._check_gradients()
            self._passes.note_read()
        _check_same_way(self._saved_by, "penalty")
        self._look()
        if not self._penalised.has_begun and self._looked:
            _ = self._steered.wiring  # for a trim
            self._steered.detach()
        resumed = not self._penalised.has_begun
        multipliers = self._penalised.begin(self._all(), self.infeasible, known=self._looked)
        if resumed and self._penalised.not_reached:
            self.not_reached |= self._penalised.not_reached
            self._tell(self.not_reached)
        return finite_sum("Budget", self._penalised.terms(self._all(), multipliers))

    def step(self) -> None:
        """Move what keeps the constraints: pulls, gains and connections, or the multipliers; after `optimizer.step()`.

        Several passes since the last one, of micro-batches, count as one batch. Each is measured by itself, so
        they are somewhat noisier than that batch; divide their losses by their number, and a `penalty()` likewise.

        Raises:
            RuntimeError: there was no `backward()`, and no `penalty()` with gradients, since the last step.
        """
        if self._steered.has_batch:
            self._step_steered()
        elif self._penalised.has_batch:
            self._passes.check_new()
            self._step_penalised()
        else:
            raise RuntimeError(
                "Budget: step() without a penalty() or a backward() with gradients before it."
            )
        self._passes.note_step()
        self._trimmed, self._anew = {}, False

    def _check_gradients(self) -> None:
        _ = self._monitor.own_ledger  # or nothing ran
        if not self._monitor.saw_gradients:
            raise RuntimeError(
                "Budget: the monitor's last forward pass ran without gradients. Call the model with gradients before "
                "budget.backward(loss) or budget.penalty(), and validate in `with monitor.paused():` or with a Monitor of its own."
            )

    def _step_penalised(self) -> None:
        self._penalised.step(self._constraints, self.infeasible)
        self._tell(self.unreachable)
        self._told -= self._penalised.see_contests(self._constraints, self._contest)  # news, too
        self.not_reached = dict(self._penalised.not_reached)
        self._tell(self.not_reached)

    def _step_steered(self) -> None:
        for name, reading in self._steered.step().items():
            self._reach.see(name, reading)
        self._connections.step(self._constraints)
        self._reach.judge(self._constraints, self._monitor)
        self._tell(self.unreachable)
        averages = {n: x for n, x in self._steered.averages.items() if n not in self._reach.out}
        down = {name for name in averages if self._steered.steering.is_down(name)}
        apart = self._contest.see(self._constraints, averages, down)
        full = saturated(
            {n: each for n, each in self._constraints.items() if n in averages},
            averages,
            self._steered.steering.full_steps,
            dense=self._connections.keeps_all,
        )
        self.not_reached = full | apart
        self._tell(self.not_reached)

    def _look(self) -> None:
        """Learn from the first pass with gradients what training can change, and what it cannot meet."""
        if self._looked:
            return
        constraints = self._all()
        if self._connections.keeps_all:  # fewer synapses make more floors fit
            found = contradictions(self._monitor.model, self._monitor, list(constraints.values()))
            self.infeasible = {each.floor.name: each.reason for each in found}
        if not torch.is_grad_enabled():  # nothing tells yet what training can change
            return
        readings = {name: each.read(self._monitor) for name, each in constraints.items()}
        self._reach.notice(constraints, readings, self._monitor)
        self._looked = True
        self._tell(self.unreachable | self.infeasible, stacklevel=5)

    def _tell(self, reasons: Mapping[str, str], stacklevel: int = 3) -> None:
        """Warn of what cannot be met, once, unless the user knows."""
        for name, reason in reasons.items():
            if name not in self._declared and name not in self._told:
                self._told.add(name)
                told = (
                    f"Budget: {reason} It stays violated, and the budget not met, unless you declare it: "
                    f"Budget(unreachable=[{name!r}])."
                )
                warnings.warn(printable(told), BudgetWarning, stacklevel=stacklevel)

    def _all(self) -> dict[str, Constraint]:
        if not self._constraints:
            found = self._declaration.constraints(self._monitor)
            self._check_saved([constraint.name for constraint in found])
            self._declared = self._declaration.known_unreachable(found)
            self._constraints = {constraint.name: constraint for constraint in found}
        return self._constraints

    # ---- after training

    def trim(self, forward: Callable[[], object], *, margin: float = 0.006) -> Trimmed:
        """Bring what is spent just inside each limit, without training: one gain on the weights that drive the spikes.

        The gain of each limit is found by bisection, in the order of depth; a `max_rate` is one, too. A limit of SynOps or
        joules that held training down is filled up again where it has room; one that never mattered is left alone. A floor that
        was kept stays so, where limits leave room. Layers whose weights are frozen, or before a normalisation that has no
        parameters, are left alone. `met` and `violations()` then judge what the calibration data measured. If
        something fails, the weights are as they were.

        Args:
            forward: runs the model on calibration data, in one call or several, each after `reset_states`; none of the
                test set. It is called some dozen times, without gradients, the model in eval mode.
            margin: share of each limit to stay under, so that other data keep it.

        Raises:
            FloatingPointError: what is spent is not finite.
            RuntimeError: no pass with gradients has shown which weights drive which spikes.
            ValueError: the margin is no share.

        Example:
            >>> import picojoule
            >>> from torch import nn
            >>> _ = torch.manual_seed(1)
            >>> model = nn.Sequential(nn.Linear(4, 50), picojoule.layers.IAF(), nn.Linear(50, 2))
            >>> monitor = picojoule.Monitor(model).attach()
            >>> budget = Budget(monitor, synops_per_timestep={"2": 10.0})
            >>> x = torch.ones(8, 10, 4)
            >>> budget.backward(model(x).mean())
            >>> budget.step()
            >>> budget.trim(lambda: model(x)).after["synops_per_timestep of 2"] <= 10
            True
        """
        check_share("margin of trim()", margin)
        if not self._steered.wiring.drives:
            raise RuntimeError(
                "Budget: trim() before a forward pass with gradients and a backward(), penalty() or begin(), which show what "
                "weights drive what spikes."
            )
        reachable = {n: each for n, each in self._all().items() if n not in self._reach.out}
        limits = {n: each for n, each in reachable.items() if not each.is_floor}
        floors = {n: each for n, each in reachable.items() if each.is_floor}
        spending = {n for n, each in limits.items() if each.spends}
        if self._connections.keeps_all:
            spending &= self._steered.kept_down()
        self._steered.find_replaced()
        trimming = Trimming(self._monitor, forward, self._steered.wiring, margin)
        trimmed = trimming.run(limits, frozenset(spending), floors)
        self._trimmed, self._anew = trimming.measured, False
        self.not_reached |= trimming.without_weights
        return trimmed

    # ---- results

    @property
    def unreachable(self) -> dict[str, str]:
        """What training cannot meet, since too much is given: why, by the constraint's name."""
        constraints = self._constraints.items()
        return {n: self._reach.reason(each) for n, each in constraints if n in self._reach.out}

    @property
    def met(self) -> bool:
        """Whether nothing is violated but what was declared unreachable when the budget was made."""
        return all(each.declared for each in self.violations())

    def __reduce__(self) -> str:
        raise TypeError(
            "A Budget cannot be copied or pickled: it belongs to one model and its Monitor. Save budget.state_dict(), and load it "
            "into a Budget of the other model."
        )

    def violations(self, monitor: CountingMonitor | None = None) -> list[Violation]:
        """What is on the wrong side of its bound, the worst first. Waits for the device.

        Args:
            monitor: judge what this one holds (say, of a whole test set, with `accumulate=True`);
                omitted: the moving averages of training, or the last forward pass before there are any.

        Raises:
            RuntimeError: nothing was measured yet.
        """
        why = self.unreachable | self.infeasible | self.not_reached
        judged = []
        for name, constraint in self._all().items():
            average = None if monitor is not None else self._average(name)
            if average is None:
                average = constraint.read(monitor or self._monitor).value
            dense = turned_dense(constraint, monitor or self._monitor)
            value = torch.full_like(average, torch.nan) if dense else average
            declared = name in self._declared
            judged.append(Judged(constraint, value, dense or why.get(name, ""), declared))
        return violations(judged, self._within)

    def judge_anew(self) -> None:
        """Judge by the monitor's last pass from now on, and not by averages, until the next step: the model has other weights now."""
        self._trimmed, self._anew = {}, True

    def _average(self, name: str) -> Tensor | None:
        """The average of what a constraint measured last, by a trim or in training; None before the first step."""
        if self._anew:
            return None
        if name in self._trimmed:
            return self._trimmed[name]
        found = self._steered.averages.get(name)
        return self._penalised.average(name) if found is None else found

    @property
    def pulls(self) -> dict[str, float]:
        """How hard `backward()` pulls at each constraint, as a multiple of the task's gradient, 0 to 2."""
        return self._steered.steering.kappas

    @property
    def largest_pull(self) -> float:
        """The hardest that `backward()` has pulled at any constraint."""
        return self._steered.steering.largest

    @property
    def multipliers(self) -> dict[str, Tensor]:
        """The multiplier of each constraint in `penalty()`, by its name."""
        return {name: each.value for name, each in self._penalised.multipliers.items()}

    # ---- resuming

    def state_dict(self) -> dict[str, Any]:
        """Multipliers, averages and targets: with the model's and the optimizer's, an exact resume."""
        if self._steered.averages:
            state = {
                **self._steered.state_dict(),
                "connections": self._connections.state_dict(),
                "reach": {name: self._reach.state_of(name) for name in self._constraints},
            }
        else:
            state = self._penalised.state_dict()
        beside = {
            "trimmed": dict(self._trimmed),
            "not_reached": dict(self.not_reached),
            "contest": self._contest.state_dict(),
        }
        return state | {_BESIDE: beside} if state or self._trimmed else state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, now or, before the first pass of training, then.

        Raises:
            TypeError: it is no dict.
            ValueError: it is of a budget with other constraints, of another kind of training, or no budget's.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"Budget.load_state_dict: got {type(state).__name__}, expected what Budget.state_dict() gave."
            )
        beside = state.get(_BESIDE, {})  # older states have none
        if not isinstance(beside, Mapping):
            raise ValueError(
                f"Budget.load_state_dict: {_BESIDE!r} is a {type(beside).__name__}; expected what Budget.state_dict() gave."
            )
        state = {name: each for name, each in state.items() if name != _BESIDE}
        kind = "backward" if "tracks" in state else "penalty"
        if state and (self._penalised.has_begun or self._steered.averages):
            _check_same_way(kind, "penalty" if self._penalised.has_begun else "backward")
        if kind == "backward":
            self._load_steered(state)
        else:
            self._penalised.load_state_dict(state, self._constraints, self.infeasible)
        self._contest.load_state_dict(beside.get("contest", {}))
        self._trimmed = {name: x.clone() for name, x in beside.get("trimmed", {}).items()}
        self._anew = False
        self.not_reached = self._penalised.not_reached | dict(beside.get("not_reached", {}))
        self._saved_by = kind if state else None

    def _load_steered(self, state: Mapping[str, Any]) -> None:
        missing = {*self._steered.state_dict(), "connections", "reach"} - {*state}
        if missing:
            raise ValueError(
                f"Budget.load_state_dict: the state has no {min(missing)!r}; expected what Budget.state_dict() gave."
            )
        self._saved_names = frozenset(state["reach"])
        if self._constraints:
            self._check_saved(self._constraints)
        self._steered.load_state_dict(state)
        for name, each in state["reach"].items():
            self._reach.load_state_of(name, each)
        self._connections.load_state_dict(state["connections"])

    def _check_saved(self, names: Iterable[str]) -> None:
        """Raise ValueError if a saved state is of other constraints."""
        saved, own = self._saved_names, frozenset(names)
        self._saved_names = None
        if saved is not None and saved != own:
            raise ValueError(
                f"Budget: the saved state is of the constraints {sorted(saved)}, this budget's are {sorted(own)}."
            )


def _check_same_way(saved: str | None, now: str) -> None:
    """Raise ValueError if the state that was loaded is of a training by the other way."""
    if saved is not None and saved != now:
        raise ValueError(
            f"Budget: the loaded state is of a training with {saved}(), and this one calls {now}(). Go on as it began, or "
            "leave the state out."
        )
