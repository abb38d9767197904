"""Nested states as JSON and named tensors, the two things a safetensors file holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

_MARK, _TEXT = "tensor:", "text:"


def packed(tree: Any, prefix: str, tensors: dict[str, Tensor]) -> Any:
    """The tree with its tensors replaced by their names; they are added to `tensors`.

    Args:
        tree: mappings and sequences of tensors and of what JSON holds.
        prefix: of the tensors' names.
        tensors: takes them.

    Example:
        >>> import torch
        >>> tensors = {}
        >>> packed({"steps": 3, "log": torch.ones(2)}, "budget", tensors)
        {'steps': 3, 'log': 'tensor:budget.log'}
        >>> unpacked(_, tensors)
        {'steps': 3, 'log': tensor([1., 1.])}
    """
    if isinstance(tree, Tensor):
        while prefix in tensors:  # a name with a dot may be that of two places
            prefix += "'"
        tensors[prefix] = tree
        return _MARK + prefix
    if isinstance(tree, str) and tree.startswith((_MARK, _TEXT)):
        return _TEXT + tree
    if isinstance(tree, Mapping):
        return {key: packed(value, f"{prefix}.{key}", tensors) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [packed(value, f"{prefix}.{i}", tensors) for i, value in enumerate(tree)]
    return tree


def unpacked(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What :func:`packed` was given; tuples come back as lists.

    Raises:
        KeyError: a tensor is missing.
    """
    if isinstance(tree, str) and tree.startswith(_MARK):
        return tensors[tree.removeprefix(_MARK)]
    if isinstance(tree, str):
        return tree.removeprefix(_TEXT)
    if isinstance(tree, dict):
        return {key: unpacked(value, tensors) for key, value in tree.items()}
    if isinstance(tree, list):
        return [unpacked(value, tensors) for value in tree]
    return tree
