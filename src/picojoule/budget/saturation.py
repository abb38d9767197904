"""What is said of a constraint that the strongest pull does not reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from picojoule.budget.constraints import Constraint

_LONG = 50  # steps of the strongest pull after which it is said


def saturated(
    constraints: Mapping[str, Constraint],
    averages: Mapping[str, Tensor],
    full_steps: Callable[[str], int],
    *,
    dense: bool,
) -> dict[str, str]:
    """Limits and floors that the strongest pull and the gains have not reached for a while: what would help, by name.

    Args:
        constraints: by name.
        averages: of what each measures.
        full_steps: for how many steps in a row a constraint's pull has been at its end.
        dense: whether fewer synapses are a way that is left.

    Example:
        >>> import torch
        >>> from picojoule.budget import RateBound
        >>> floor = {"floor": RateBound(layer="1", bound=0.4)}
        >>> saturated(floor, {"floor": torch.tensor(0.3)}, lambda _: 60, dense=False)["floor"][:54]
        'floor = 0.4 is not reached: 0.3 after 60 steps of pull'
    """
    found = {}
    for name, constraint in constraints.items():
        steps = full_steps(name)
        if steps < _LONG or not (constraint.spends or constraint.is_floor):
            continue
        ways = ["a higher limit", "more steps"]
        if constraint.is_floor:
            ways.insert(0, "a lower floor")
        elif dense:
            ways.insert(0, "fewer synapses (synapses='prune')")
        average = averages[name]
        worst = (average.max() if constraint.upper else average.min()).item()
        found[name] = (
            f"{name} = {constraint.bound:g} is not reached: {worst:.4g} after {steps} steps of pulling as hard as it may. "
            f"What would help: {', '.join(ways[:-1])} or {ways[-1]}."
        )
    return found
