"""A budget that training keeps, and terms for a loss with weights of your own."""

from picojoule.budget.budget import Budget
from picojoule.budget.constraints import EnergyLimit, RateBound, SynopsLimit
from picojoule.budget.multipliers import Controller
from picojoule.budget.penalties import rate_shortfall, synops_excess
from picojoule.budget.violation import BudgetWarning, Violation

__all__ = [
    "Budget",
    "BudgetWarning",
    "Controller",
    "EnergyLimit",
    "RateBound",
    "SynopsLimit",
    "Violation",
    "rate_shortfall",
    "synops_excess",
]
