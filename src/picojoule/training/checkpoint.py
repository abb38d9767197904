"""The state of a run in one safetensors file: weights, optimiser, budget and what was measured so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.atomic_write import write_atomically
from picojoule.extras import extra
from picojoule.layers import stateful_layers
from picojoule.training.packing import packed, unpacked

_MODEL, _OPTIMIZER, _STATE = "model.", "optimizer.", "state"


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Write weights, optimiser state and `progress` to `path`, atomically.

    Neuron states are left out: they belong to the last batch, not to what was learned.

    Args:
        path: the file.
        model: whose weights.
        optimizer: whose state; None leaves that out.
        progress: anything else: mappings and lists of tensors and JSON values, such as the
            `state_dict` of a :class:`picojoule.Budget`.

    Raises:
        OSError: it could not be written; an earlier checkpoint of that name survives.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "network.safetensors"
        >>> save_checkpoint(file, nn.Linear(2, 3), progress={"epochs": 3, "average": torch.ones(2)})
        >>> load_checkpoint(file, nn.Linear(2, 3))
        {'epochs': 3, 'average': tensor([1., 1.])}
    """
    with extra("train"):
        from safetensors.torch import save
    tensors = {_MODEL + name: value for name, value in learned_tensors(model).items()}
    for index, state in optimizer.state_dict()["state"].items() if optimizer else ():
        tensors |= {f"{_OPTIMIZER}{index}.{name}": value for name, value in state.items()}
    skeleton = json.dumps(packed(progress or {}, _STATE, tensors))
    # copies: safetensors refuses two names for one memory
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_atomically(path, save(own, metadata={"progress": skeleton}))


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:
    """Load what :func:`save_checkpoint` wrote, and return its `progress`.

    Args:
        path: the file.
        model: takes the weights.
        optimizer: takes the optimiser state; None to leave that.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or of another model; nothing is loaded then.

    Example: see :func:`save_checkpoint`.
    """
    with extra("train"):
        from safetensors import SafetensorError
        from safetensors.torch import load
    try:
        # read once: safe_open opens the file twice, and a run may put a newer one in its place between
        content = path.read_bytes()
        tensors: dict[str, Tensor] = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        skeleton = json.loads(header["__metadata__"]["progress"])
        progress: dict[str, Any] = unpacked(skeleton, tensors)
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a checkpoint of picojoule, or damaged ({error}).") from error
    weights = _part(tensors, _MODEL)
    own = learned_tensors(model)
    check_same_model(path, weights, own)
    model.load_state_dict(weights, strict=False)  # states of neurons are left
    if optimizer is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _part(tensors, _OPTIMIZER).items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    return progress


def learned_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The state_dict without the states of neurons."""
    states = {
        f"{layer}.{state}" if layer else state
        for layer, module in stateful_layers(model)
        for state in module.states()
    }
    return {name: value for name, value in model.state_dict().items() if name not in states}


def check_same_model(path: Path, saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a file's weights are not those of a model."""
    faults = [f"{name} is only in the checkpoint" for name in saved.keys() - own.keys()]
    faults += [f"{name} is only in the model" for name in own.keys() - saved.keys()]
    faults += [
        f"{name} has shape {tuple(saved[name].shape)} there and {tuple(own[name].shape)} here"
        for name in saved.keys() & own.keys()
        if saved[name].shape != own[name].shape
    ]
    if faults:
        raise ValueError(
            f"{path}: the checkpoint is of another model; nothing was loaded. {'; '.join(sorted(faults)[:5])}."
        )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
