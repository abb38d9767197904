"""Time as a means: inference that ends for a sample as soon as the network is sure of it.

`EarlyExit` runs a model step by step and drops the samples that are done; `ExitRecord` knows what any threshold would
spend; `sureness` has the measures of how sure an answer is.
"""

from picojoule.budget.early_exit.exits import EarlyExit
from picojoule.budget.early_exit.outcome import Calibration, Exits
from picojoule.budget.early_exit.record import ExitFigures, ExitRecord, ExitRule
from picojoule.budget.early_exit.sureness import Sure, entropy, margin

__all__ = [
    "Calibration",
    "EarlyExit",
    "ExitFigures",
    "ExitRecord",
    "ExitRule",
    "Exits",
    "Sure",
    "entropy",
    "margin",
]
