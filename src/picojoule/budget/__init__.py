"""Terms for a loss that hold a network to its budget."""

from picojoule.budget.penalties import rate_shortfall, synops_excess

__all__ = ["rate_shortfall", "synops_excess"]
