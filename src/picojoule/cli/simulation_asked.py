"""What a user asks `picojoule simulate` for, and whether it goes together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from picojoule.cli.peaks import Limit, Per, window_of
from picojoule.cli.simulated_model import HowCompiled, NamedModel
from picojoule.data.event_columns import TimeUnit
from picojoule.events.orders import Arrival, ChipLimits, Leak
from picojoule.events.whole_numbers import WEIGHT_BITS
from picojoule.synops.watch.count import Weights

AnyOrder = Literal["step", "breadth", "depth"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the options say, each by itself within its range."""

    model: str
    input_file: Path
    dt_us: int | None
    size: str | None
    time_unit: TimeUnit | None
    columns: list[str] | None
    checkpoint: Path | None
    num_timesteps: int | None
    seed: int
    order: AnyOrder
    leak: Leak
    tick_steps: int
    arrival: Arrival
    chip: ChipLimits
    limit: Limit
    per: Per
    window_ms: float | None
    data: str | None
    samples: int | None
    weights: Weights | None

    def check(self) -> None:
        """Raise ValueError where options do not go together, before anything runs."""
        asynchronous = {
            "--leak": self.leak != "step",
            "--one-threshold": self.chip.one_threshold_per_layer,
            "--decimate": self.chip.decimate != 1,
            "--queue-length": self.chip.queue_length is not None,
        }
        first = next((option for option, is_stated in asynchronous.items() if is_stated), None)
        if self.order == "step" and first is not None:
            raise ValueError(
                f"{first} is of chips without time steps, and --order is step, PyTorch's. Add --order depth, in which each event "
                "goes through before the next, or --order breadth, a layer after the other."
            )
        bits = self.chip.weight_bits
        if (
            self.order == "step"
            and bits is not None
            and (bits > WEIGHT_BITS or self.chip.state_bits is None)
        ):
            raise ValueError(
                f"with --order step, --weight-bits are {WEIGHT_BITS} at most and go with --state-bits, such as --weight-bits 8 --state-bits 16. "
                "Other widths go with --order depth or breadth."
            )
        if self.tick_steps != 1 and self.leak != "tick":
            raise ValueError(
                f"--tick-steps {self.tick_steps} is of the clock of --leak tick, and --leak is {self.leak}. Add --leak tick."
            )
        timed = {"--limit-synops-per-second": self.limit, "--window-ms": self.window_ms}
        first = next((option for option, value in timed.items() if value is not None), None)
        if self.dt_us is None and first is not None:
            raise ValueError(
                f"{first} is about time, and nothing says how long a step lasts. Give --dt-us, in microseconds, such as "
                "--dt-us 1000."
            )
        if self.dt_us is not None:
            window_of(self.window_ms, self.dt_us)

    def compiled(self, named: NamedModel) -> HowCompiled:
        """How the model is compiled; the SynOps of a run are counted as its own report has them."""
        weights = self.weights or ("all" if named.run is None else named.run.config.weights)
        is_narrow = self.order == "step" and self.chip.weight_bits is not None
        return HowCompiled(weights, self.chip if is_narrow else None)

    @property
    def how(self) -> str:
        """Order and leak in words."""
        if self.order == "step":
            return ", ".join(["by time steps", *_in_words(self.chip)])
        ticks = f" every {self.tick_steps} steps" if self.tick_steps > 1 else ""
        leaks = {"step": "step", "tick": f"tick{ticks}", "exponential": "elapsed time"}
        return ", ".join(
            [f"{self.order} first", f"leak by {leaks[self.leak]}", *_in_words(self.chip)]
        )

    def settings(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "events": str(self.input_file),
            "order": self.order,
            "leak": self.leak,
            "tick_steps": self.tick_steps,
            "arrival": self.arrival,
            "seed": self.seed,
            "limits": asdict(self.chip),
        }


def _in_words(chip: ChipLimits) -> list[str]:
    words = []
    if chip.weight_bits is not None:
        words.append(f"weights of {chip.weight_bits} bits")
    if chip.state_bits is not None:
        words.append(f"potentials of {chip.state_bits} bits")
    if chip.one_threshold_per_layer:
        words.append("one threshold a layer")
    if chip.decimate != 1:
        words.append("a decimator")
    if chip.queue_length is not None:
        words.append(f"queues of {chip.queue_length}")
    return words
