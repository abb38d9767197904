"""The sum of the terms of a loss, which has to be a number."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def finite_sum(owner: str, terms: Mapping[str, Tensor]) -> Tensor:
    """The sum of some terms of a loss, by what they are called.

    Raises:
        FloatingPointError: it is not finite; the message names the terms that are not.

    Example:
        >>> finite_sum("Budget", {"a": torch.tensor(1.0), "b": torch.tensor(2.0)})
        tensor(3.)
    """
    total = sum(terms.values(), start=torch.zeros(()))
    if not bool(torch.isfinite(total)):
        bad = [name for name, term in terms.items() if not term.isfinite()]
        raise FloatingPointError(
            f"{owner}: the penalty is {total.item()}, from {', '.join(bad or terms)}. The forward pass or its "
            "weights are no longer finite: go back to a checkpoint, lower the learning rate, and see "
            "picojoule.check_finite(model), which names the layer."
        )
    return total
