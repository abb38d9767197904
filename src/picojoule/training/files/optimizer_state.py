"""The state of an optimiser in a checkpoint: its tensors, and beside them its settings and of which parameters they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from picojoule.training.files.checkpoint_files import Saved

_TENSORS = "optimizer."


def saved_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Its tensors by name, and the settings and values that a checkpoint keeps beside them."""
    whole = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for index, state in whole["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{_TENSORS}{index}.{name}"] = value
            else:
                values.setdefault(str(index), {})[name] = value
    groups = [{k: v for k, v in group.items() if k != "params"} for group in whole["param_groups"]]
    kept = {
        "kind": _kind(optimizer),
        "shapes": _shapes(optimizer),
        "groups": groups,
        "values": values,
    }
    return tensors, kept


def state_for(optimizer: torch.optim.Optimizer, path: Path, saved: Saved) -> dict[str, Any]:
    """What `optimizer.load_state_dict` takes.

    Raises:
        ValueError: it is of another optimiser, or of one for other parameters.
    """
    state: dict[int, dict[str, Any]] = {}
    for key, value in saved.optimizer.items():
        index, name = key.removeprefix(_TENSORS).split(".", 1)
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    kept = saved.settings
    if kept:
        _check(optimizer, path, kept)
        for index, values in kept["values"].items():
            state.setdefault(int(index), {}).update(values)
        groups = [
            _taken_over(own, there) for own, there in zip(groups, kept["groups"], strict=True)
        ]
    return {"state": state, "param_groups": groups}


def _taken_over(own: dict[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """A group with the settings of a saved one; JSON knows no tuples."""
    return own | {
        name: tuple(value) if isinstance(own.get(name), tuple) else value
        for name, value in there.items()
    }


def _check(optimizer: torch.optim.Optimizer, path: Path, kept: Mapping[str, Any]) -> None:
    if kept.keys() != {"kind", "shapes", "groups", "values"}:
        raise ValueError(f"{path}: the optimizer's settings are damaged; they have {list(kept)}.")
    there, here = (kept["kind"], kept["shapes"]), (_kind(optimizer), _shapes(optimizer))
    if there != here:
        raise ValueError(
            f"{path}: the state is of {_in_words(*there)}, and here is {_in_words(*here)}; nothing was loaded. Make the optimizer as "
            "it was, or leave it out to load the weights alone."
        )


def _in_words(kind: str, shapes: list[list[list[int]]]) -> str:
    listed = [", ".join(" x ".join(map(str, shape)) or "1" for shape in group) for group in shapes]
    return f"{kind} of parameters of {'; '.join(listed)}"


def _kind(optimizer: torch.optim.Optimizer) -> str:
    return type(optimizer).__name__.removeprefix("Fabric")  # which wraps it


def _shapes(optimizer: torch.optim.Optimizer) -> list[list[list[int]]]:
    return [[list(p.shape) for p in group["params"]] for group in optimizer.param_groups]
