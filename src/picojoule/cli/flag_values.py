"""What is written after a flag: bounds and groups of layers, seeds, and what a repeated flag has."""

from __future__ import annotations

from collections.abc import Sequence


def parsed_bound(text: str) -> float | dict[str, float]:
    """A limit or floor as a flag states it: one number, or `name=number,name=number`.

    Raises:
        ValueError: it is neither, or names a layer twice.

    Example:
        >>> parsed_bound("6e4"), parsed_bound("4=6e4,7=2e4")
        (60000.0, {'4': 60000.0, '7': 20000.0})
    """
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.rsplit("=", 1) for part in text.split(",")]
        bounds = {name.strip(): float(number) for name, number in pairs}
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a number nor layers with numbers, such as 4=6e4,7=2e4."
        ) from None
    if len(bounds) < len(pairs):
        raise ValueError(f"{text!r} names a layer twice.")
    return bounds


def parsed_groups(texts: Sequence[str]) -> dict[str, list[str]]:
    """Groups of layers as flags state them, each as `name=layer,layer`.

    Raises:
        ValueError: one has another form, or a name or a layer comes twice.

    Example:
        >>> parsed_groups(["tail=4,7", "head=1.10"])
        {'tail': ['4', '7'], 'head': ['1.10']}
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        name, _, listed = (part.strip() for part in text.partition("="))
        layers = [layer.strip() for layer in listed.split(",")]
        if not name or not all(layers):
            raise ValueError(f"--group: {text!r} is no name with layers, such as --group tail=4,7.")
        if name in groups or len(set(layers)) < len(layers):
            raise ValueError(
                f"--group: {text!r} names a group or a layer for the second time. Name each once, as in --group tail=4,7."
            )
        groups[name] = layers
    return groups


def one_or_several(values: list[str]) -> str | list[str]:
    """What a repeated flag states, as functions of the library take it: one by itself, several as a list.

    Example:
        >>> one_or_several(["loihi"]), one_or_several(["loihi", "odin"])
        ('loihi', ['loihi', 'odin'])
    """
    return values[0] if len(values) == 1 else values


def checked_seed(seed: int) -> int:
    """A seed that PyTorch's generators take.

    Raises:
        ValueError: it is below 0 or does not fit.
    """
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed is {seed}, expected a whole number from 0 to 2^63 - 1.")
    return seed
