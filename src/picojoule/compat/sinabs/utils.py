"""What sinabs.utils has beside the functions that Picojoule has itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from picojoule.layers import SqueezeMixin


def get_new_index(existing_indices: Sequence[int]) -> int:
    """The smallest whole number >= 0 that is not among `existing_indices`.

    Example:
        >>> get_new_index([0, 1, 3])
        2
    """
    return next(n for n in range(len(existing_indices) + 1) if n not in existing_indices)


def get_batch_size(model: nn.Module) -> int:
    """The batch size that the squeezing layers of a model were given; -1 if none was.

    Raises:
        ValueError: they were given different ones.

    Example:
        >>> from picojoule.layers import IAFSqueeze
        >>> get_batch_size(nn.Sequential(IAFSqueeze(batch_size=5), IAFSqueeze(num_timesteps=7)))
        5
    """
    return _common_size(model, "batch_size")


def get_num_timesteps(model: nn.Module) -> int:
    """The number of time steps that the squeezing layers of a model were given; -1 if none was.

    Raises:
        ValueError: they were given different ones.

    Example:
        >>> from picojoule.layers import IAFSqueeze
        >>> get_num_timesteps(IAFSqueeze(num_timesteps=7))
        7
    """
    return _common_size(model, "num_timesteps")


def get_smallest_compatible_time_dimension(model: nn.Module) -> int:
    """The shortest first axis, batch * time, that the squeezing layers of a model take.

    Raises:
        ValueError: they were given different sizes.

    Example:
        >>> from picojoule.layers import IAFSqueeze
        >>> get_smallest_compatible_time_dimension(IAFSqueeze(batch_size=5, num_timesteps=7))
        35
    """
    return abs(get_batch_size(model) * get_num_timesteps(model))


def expand_to_pair(value: Any) -> Any:
    """`(value, value)` for a whole number; anything else as it is.

    Example:
        >>> expand_to_pair(3), expand_to_pair((1, 2))
        ((3, 3), (1, 2))
    """
    return (value, value) if isinstance(value, int) else value


def collapse_pair(pair: Any) -> Any:
    """The one value that all elements of `pair` have; anything that has no elements as it is.

    Raises:
        ValueError: the elements differ, or there are none.

    Example:
        >>> collapse_pair((2, 2)), collapse_pair(2)
        (2, 2)
    """
    if not isinstance(pair, Iterable):
        return pair
    items = list(pair)
    if not items or any(item != items[0] for item in items):
        raise ValueError(f"collapse_pair: {pair!r} has no one value; expected equal elements.")
    return items[0]


def _common_size(model: nn.Module, name: str) -> int:
    by_layer = {
        layer: getattr(module, name)
        for layer, module in model.named_modules()
        if isinstance(module, SqueezeMixin) and getattr(module, name) not in (-1, None)
    }
    if len(set(by_layer.values())) > 1:
        raise ValueError(
            f"The squeezing layers of the model have different values of {name}: {by_layer}. Give them "
            "one, with set_batch_size(model, n) for instance."
        )
    return next(iter(by_layer.values()), -1)
