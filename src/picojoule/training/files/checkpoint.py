"""The state of a run on the disk: weights, optimiser, budget and what was measured so far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.budget.masks import give_masks, masks_of_saved, put_back_on_failure, refresh
from picojoule.layers import stateful_layers
from picojoule.training.files.checkpoint_files import Saved, read_checkpoint, write_checkpoint
from picojoule.training.files.optimizer_state import saved_optimizer, state_for

_ORIGINAL, _MASK = "_orig", "_mask"  # names by torch.nn.utils.prune


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Write weights, optimiser state and `progress`, so that the checkpoint before survives until this one is whole.

    The file at `path` holds the weights under the model's own names and nothing else, so
    `model.load_state_dict(safetensors.torch.load_file(path))` takes it. The other tensors lie in a file beside it,
    `NAME.training-DIGEST.safetensors` for a NAME.safetensors, `NAME-training-...` for any other name. Neuron states are left out: they belong to the last batch, not to what was
    learned.

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
    state, settings = ({}, {}) if optimizer is None else saved_optimizer(optimizer)
    saved = Saved(learned_tensors(model), state, dict(progress or {}), settings)
    write_checkpoint(Path(path), saved)


def load_checkpoint(
    path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:
    """Load what :func:`save_checkpoint` wrote, and return its `progress`.

    Args:
        path: the file.
        model: takes the weights.
        optimizer: takes the optimiser's state and settings, such as its learning rate; None to leave them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is damaged, missing beside the weights, or of another model or optimiser; nothing is loaded then.

    Example: see :func:`save_checkpoint`.
    """
    path = Path(path)
    saved = read_checkpoint(path)
    state = None if optimizer is None else state_for(optimizer, path, saved)
    take_over(path, saved.weights, model)
    if optimizer is not None and state is not None:
        optimizer.load_state_dict(state)
    return saved.progress


def take_over(path: Path, saved: Mapping[str, Tensor], model: nn.Module) -> None:
    """Load a file's weights, without states of neurons; masks in it are given to a model that has none.

    Raises:
        ValueError: they are of another model, which is as it was.
    """
    saved = _with_masks_of(model, saved)
    parameters = masks_of_saved(model, saved)
    with put_back_on_failure(parameters):
        give_masks(parameters)
        check_same_model(path, saved, learned_tensors(model))
        _load(path, saved, model)
    for layer, of in parameters:
        refresh(layer, of)


def _load(path: Path, saved: Mapping[str, Tensor], model: nn.Module) -> None:
    """All of it, or nothing where a layer refuses a value, such as a time constant of NaN."""
    before = {name: value.clone() for name, value in learned_tensors(model).items()}
    try:
        model.load_state_dict(saved, strict=False)
    except RuntimeError as error:
        model.load_state_dict(before, strict=False)
        refused = " ".join(str(error).split("\n", 1)[-1].split())
        raise ValueError(f"{path}: {refused} Nothing was loaded.") from error


def _with_masks_of(model: nn.Module, saved: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The same for a model that is made with masks (`torch.nn.utils.prune`), where the file has whole weights: zeros are what is masked."""
    own, found = learned_tensors(model), dict(saved)
    for original in [name for name in own if name.endswith(_ORIGINAL) and name not in saved]:
        plain = original.removesuffix(_ORIGINAL)
        if plain in saved and plain + _MASK in own:
            weight = found.pop(plain)
            found |= {original: weight, plain + _MASK: (weight != 0).to(own[plain + _MASK])}
    return found


def learned_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The state_dict without the states of neurons."""
    states = {
        f"{layer}.{state}" if layer else state
        for layer, module in stateful_layers(model)
        for state in module.states()
    }
    return {name: value for name, value in model.state_dict().items() if name not in states}


def save_trained(path: str | Path, model: nn.Module) -> None:
    """Write the weights of a network that is finished, with those that were taken away as zeros.

    Any model of the same layers takes the file, whether it knows masks or not.

    Args:
        path: the file, `.safetensors`.
        model: whose weights.

    Raises:
        OSError: it could not be written; an earlier file of that name survives.
    """
    found = {}
    for name, value in learned_tensors(model).items():
        if name.endswith(_ORIGINAL):
            plain = name.removesuffix(_ORIGINAL)
            found[plain] = value * model.get_buffer(plain + _MASK)
        elif not name.endswith(_MASK):
            found[name] = value
    write_checkpoint(Path(path), Saved(found, {}, {}))


def check_same_model(path: Path, saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a file's weights are not those of a model."""
    faults = [f"{name} is only in the checkpoint" for name in saved.keys() - own.keys()]
    faults += [f"{name} is only in the model" for name in own.keys() - saved.keys()]
    pairs = ((name, saved[name], own[name]) for name in saved.keys() & own.keys())
    faults += [f"{name} {fault}" for name, there, here in pairs if (fault := _fault(there, here))]
    if faults:
        raise ValueError(
            f"{path}: the checkpoint is of another model; nothing was loaded. {'; '.join(sorted(faults)[:5])}. Use it with the model "
            "that it was saved from."
        )


def _fault(there: Tensor, here: Tensor) -> str | None:
    """Why a saved tensor cannot be taken over: `copy_` would refuse it, or drop its imaginary part."""
    if there.is_meta and not here.is_meta:
        return "has no values there"
    if there.is_nested or there.is_quantized or there.layout != here.layout:
        return f"is no plain tensor there ({there.dtype}, {there.layout})"
    if there.is_complex() and not here.is_complex():
        return f"is {there.dtype} there and {here.dtype} here"
    if there.shape != here.shape:
        return f"has shape {tuple(there.shape)} there and {tuple(here.shape)} here"
    return None
