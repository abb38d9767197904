"""A budget that training keeps, and terms for a loss with weights of your own."""

from picojoule.budget.budget import Budget
from picojoule.budget.connections import Connections
from picojoule.budget.early_exit import (
    Calibration,
    EarlyExit,
    ExitFigures,
    ExitRecord,
    ExitRule,
    Exits,
)
from picojoule.budget.fixed import FixedPenalties
from picojoule.budget.limits import EnergyLimit, SynopsLimit
from picojoule.budget.masks import make_prunable
from picojoule.budget.multipliers import Controller
from picojoule.budget.pays import check_pays
from picojoule.budget.penalties import rate_shortfall, synops_excess
from picojoule.budget.pruning import GradualPruning, Pruned, prune
from picojoule.budget.rate_bound import RateBound
from picojoule.budget.rate_terms import Hoyer, L1Rates, L2Rates, RateShortfall
from picojoule.budget.regulator import Regulator
from picojoule.budget.split_range import SplitRange
from picojoule.budget.synops_terms import SSP, FanOutWeighted, SynopsExcess
from picojoule.budget.trainable import make_trainable
from picojoule.budget.trim import Trimmed
from picojoule.budget.violation import BudgetWarning, Violation

__all__ = [
    "SSP",
    "Budget",
    "BudgetWarning",
    "Calibration",
    "Connections",
    "Controller",
    "EarlyExit",
    "EnergyLimit",
    "ExitFigures",
    "ExitRecord",
    "ExitRule",
    "Exits",
    "FanOutWeighted",
    "FixedPenalties",
    "GradualPruning",
    "Hoyer",
    "L1Rates",
    "L2Rates",
    "Pruned",
    "RateBound",
    "RateShortfall",
    "Regulator",
    "SplitRange",
    "SynopsExcess",
    "SynopsLimit",
    "Trimmed",
    "Violation",
    "check_pays",
    "make_prunable",
    "make_trainable",
    "prune",
    "rate_shortfall",
    "synops_excess",
]
