"""What a NIR node has no field for, as JSON in its metadata: reading what we wrote is exact."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import torch
from torch import Tensor

from picojoule import activation

KEY = "picojoule"


def packed(**values: Any) -> dict[str, str]:
    """NIR metadata that hold these values."""
    return {KEY: json.dumps(values)}


def unpacked(metadata: object) -> dict[str, Any] | None:
    """The values in a node's metadata; None if Picojoule did not write it.

    Raises:
        ValueError: they are there, but damaged.
    """
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if text is None:
        return None
    try:
        values = json.loads(text.decode() if isinstance(text, bytes) else text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"its metadata {KEY!r} are no JSON ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(
            f"its metadata {KEY!r} are {type(values).__name__}, expected names and values"
        )
    return values


def plain(value: Any) -> Any:
    """A tensor as nested lists, a part in a part by its description, anything else as it is."""
    if isinstance(value, Tensor):
        return value.detach().cpu().tolist()
    return described(value) if dataclasses.is_dataclass(value) else value


def tensor(value: Any) -> Any:
    """What `plain` made plain."""
    if isinstance(value, dict):
        return built(value)
    return torch.tensor(value) if isinstance(value, list) else value


def described(part: Any) -> dict[str, Any] | None:
    """One of Picojoule's spike functions, resets or surrogates by name; None for a stranger."""
    instance = (
        part() if isinstance(part, type) and part.__module__.startswith("picojoule") else part
    )
    name = type(instance).__name__
    if name not in activation.__all__ or type(instance) is not getattr(activation, name):
        return None
    fields = {f.name: plain(getattr(instance, f.name)) for f in dataclasses.fields(instance)}
    return {"name": name, **fields}


def built(description: dict[str, Any]) -> Any:
    """The part that `described` described.

    Raises:
        ValueError: no such part; the file is from a newer version, or damaged.
    """
    fields = {name: tensor(value) for name, value in description.items() if name != "name"}
    if description["name"] not in activation.__all__:
        raise ValueError(
            f"its metadata name {description['name']!r}, which picojoule.activation does not have."
        )
    return getattr(activation, description["name"])(**fields)
