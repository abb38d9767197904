"""Whether what a monitor holds is of this step of training, and all of it."""

from __future__ import annotations

import warnings
import weakref

from picojoule.budget.violation import BudgetWarning
from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.synops.watch.ledger import Ledger


class FreshPasses:
    """Remembers what a monitor held at the last step.

    Args:
        monitor: attached to the model.
    """

    def __init__(self, monitor: CountingMonitor) -> None:
        self._monitor = monitor
        self._last: tuple[weakref.ref[Ledger], int] | None = None  # and of how many passes
        self._read = 0  # passes with gradients until then
        self._several = 0  # times in a row that there were several
        self._told = False

    def check_new(self) -> None:
        """Raise RuntimeError unless the monitor has seen a pass of this step alone."""
        passed = self._monitor.own_ledger
        if self._last is None or self._last[0]() is not passed:
            return
        if self._last[1] == len(passed.passes):
            raise RuntimeError(
                "Budget: the monitor has seen no forward pass since the last step(). Was it detached or paused, or the model "
                "called from outside of it? Attach it, and call the model before budget.backward(loss) or budget.penalty()."
            )
        raise RuntimeError(
            "Budget: the monitor adds up passes (accumulate=True), and still holds those of the last step. Call "
            "monitor.reset() before each training step, or make it Monitor(model)."
        )

    def note_read(self) -> None:
        """What the monitor holds now was measured; warn once if it does not hold all passes, now and the last time.

        Once alone is no news: a call told shapes, or a batch was left out.
        """
        passes = self._monitor.passes_with_gradients - self._read
        self._read += passes
        self._several = self._several + 1 if passes > 1 else 0
        if self._several < 2 or self._told or self._monitor.adds_up:
            return
        self._told = True
        warnings.warn(
            f"Budget: the model was called {passes} times with gradients for this step, and only what the last call spends is "
            "measured. If the loss is of all of them, make it Monitor(model, accumulate=True) and call monitor.reset() before "
            "each step, or call budget.backward for each with its part of the loss; if each call is a time step, "
            "Monitor(model, time_axis='outer'). A call that nothing is trained on belongs into `with monitor.paused():`.",
            BudgetWarning,
            stacklevel=3,
        )

    def note_step(self) -> None:
        """What the monitor holds now is of a step that is over."""
        self._read = (
            self._monitor.passes_with_gradients
        )  # a checkpointed model ran again in the backward pass
        passed = self._monitor.own_ledger
        self._last = weakref.ref(passed), len(passed.passes)
