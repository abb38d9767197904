"""Whether what a monitor holds is of this step of training."""

from __future__ import annotations

import weakref

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

    def note_step(self) -> None:
        """What the monitor holds now is of a step that is over."""
        passed = self._monitor.own_ledger
        self._last = weakref.ref(passed), len(passed.passes)
