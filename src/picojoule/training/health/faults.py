"""What makes a network useless, whatever it spends: silence, one answer for all, a loss beyond reason."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

_BEYOND_REASON = 10.0  # times the loss of guessing, or that of the first epoch


def faults(
    *,
    where: str,
    rates_before: Mapping[str, float],
    silent: Iterable[str],
    answered: Sequence[int],
    labelled: Sequence[int],
    task_loss: Sequence[float],
) -> dict[str, str]:
    """What is wrong, a sentence each, by what it is.

    Args:
        where: the samples, to end a sentence with.
        rates_before: mean rate of each spiking layer before training; one that was silent is no fault of training's.
        silent: layers of which no neuron fires now.
        answered: samples that were given each class.
        labelled: samples of each class.
        task_loss: mean of each epoch so far.

    Example:
        >>> found = faults(
        ...     where="on the test set",
        ...     rates_before={"1": 0.2, "3": 0.0},
        ...     silent=["1", "3"],
        ...     answered=[0, 20],
        ...     labelled=[10, 10],
        ...     task_loss=[0.7, 0.69],
        ... )
        >>> list(found)
        ['silence of 1', 'one answer']
        >>> found["one answer"]
        'all 20 samples are answered with class 1 on the test set, whatever their label: nothing is told apart.'
    """
    return {
        **_silence(where, rates_before, silent),
        **_one_answer(where, answered, labelled),
        **_wild_loss(task_loss, len(answered)),
    }


def _silence(
    where: str, rates_before: Mapping[str, float], silent: Iterable[str]
) -> dict[str, str]:
    return {
        f"silence of {name}": (
            f"layer {name!r} fell silent: none of its neurons fires {where}, and before training they fired "
            f"{rates_before[name]:.3g} times a step. Nothing passes through it. Allow it more, start from a trained "
            "network, or lower the learning rate."
        )
        for name in silent
        if rates_before.get(name, 0.0) > 0
    }


def _one_answer(where: str, answered: Sequence[int], labelled: Sequence[int]) -> dict[str, str]:
    given = [number for number, samples in enumerate(answered) if samples]
    if len(given) != 1 or sum(samples > 0 for samples in labelled) < 2:
        return {}
    return {
        "one answer": (
            f"all {sum(answered)} samples are answered with class {given[0]} {where}, whatever their label: nothing is "
            "told apart."
        )
    }


def _wild_loss(task_loss: Sequence[float], classes: int) -> dict[str, str]:
    if not task_loss or classes < 2:
        return {}
    first, last, guessing = task_loss[0], task_loss[-1], math.log(classes)
    wild = last > _BEYOND_REASON * guessing
    grown = last > _BEYOND_REASON * first and last > guessing
    if math.isfinite(last) and not wild and not grown:
        return {}
    at_first = f", and the first epoch had {first:.3g}" if len(task_loss) > 1 else ""
    return {
        "loss": (
            f"the loss of epoch {len(task_loss)} is {last:.3g} in the mean, beyond reason: guessing among {classes} "
            f"classes has {guessing:.3g}{at_first}. Lower the learning rate, or allow more."
        )
    }
