"""A checkpoint on the disk: the weights under the model's own names, and all else in a file beside them.

The file of the weights names the other one, which has its content's digest in its name. It is written first and the
one before is removed last, so the weights always name a file that is there and belongs to them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from picojoule.atomic_write import write_atomically
from picojoule.extras import extra
from picojoule.training.files.packing import packed, unpacked

_HEADER, _PROGRESS, _SETTINGS = "picojoule", "state", "settings"
_DIGEST, _SUFFIX = 12, ".safetensors"
_ATTEMPTS = 10


class Saved(NamedTuple):
    """What the files of a checkpoint hold.

    Args:
        weights: by the model's own names.
        optimizer: state of the optimiser, by names of ours.
        progress: mappings and lists of tensors and JSON values.
        settings: of the optimiser, in the same way; empty in older checkpoints.
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: dict[str, Any]
    settings: Mapping[str, Any] = {}


def write_checkpoint(path: Path, saved: Saved) -> None:
    """Write the files of a checkpoint so that the one before is there until this one is.

    Raises:
        OSError: one could not be written; the checkpoint before is whole.
    """
    with extra("train"):
        from safetensors.torch import save
    training = dict(saved.optimizer)
    progress = packed(saved.progress, _PROGRESS, training)
    settings = packed(saved.settings, _SETTINGS, training)
    beside = None
    if training:
        content = save(_own(training))
        beside = f"{_before_digest(path)}{hashlib.sha256(content).hexdigest()[:_DIGEST]}{_SUFFIX}"
        write_atomically(path.with_name(beside), content)
    header = json.dumps({"training": beside, "progress": progress, "settings": settings})
    write_atomically(path, save(_own(saved.weights), metadata={_HEADER: header}))
    for name in files_beside(path):
        if name.name != beside:
            name.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Saved:
    """Read what :func:`write_checkpoint` wrote; a run may write a newer one meanwhile.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is damaged, or the one beside it is missing.
    """
    with extra("train"):
        from safetensors import SafetensorError
        from safetensors.torch import load
    try:
        content, beside = _contents(path)
        training: dict[str, Tensor] = load(beside) if beside is not None else {}
        header = _header(content)
        progress = unpacked(header["progress"], training)
        settings = unpacked(header.get("settings", {}), training)
        for name, found in (("progress", progress), ("settings", settings)):
            if not isinstance(found, dict):
                raise TypeError(
                    f"its {name} is a {type(found).__name__}, expected names with values"
                )
        others = f"{_PROGRESS}.", f"{_SETTINGS}."
        optimizer = {n: x for n, x in training.items() if not n.startswith(others)}
        return Saved(load(content), optimizer, progress, settings)
    except (SafetensorError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: not a checkpoint of picojoule, or damaged ({error}).") from error


def files_beside(path: Path) -> list[Path]:
    """The files that hold what belongs to the weights at `path`, of this checkpoint and of those before."""
    named = re.compile(
        f"{re.escape(_before_digest(path))}[0-9a-f]{{{_DIGEST}}}{re.escape(_SUFFIX)}"
    )
    return [x for x in path.parent.glob(f"*{_SUFFIX}") if named.fullmatch(x.name)]


def _before_digest(path: Path) -> str:
    """How the names of the files beside it begin; those of no other checkpoint begin so."""
    if path.suffix == _SUFFIX:
        return f"{path.stem}.training-"
    return f"{path.name}-training-"


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # copies: safetensors refuses two names for one memory
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _contents(path: Path) -> tuple[bytes, bytes | None]:
    """Both files, each read once, as a newer one may take its place at any time."""
    for _ in range(_ATTEMPTS):
        content = path.read_bytes()
        name = _header(content)["training"]
        if name is None:
            return content, None
        if not isinstance(name, str) or Path(name).name != name:
            raise KeyError(f"the file beside it is {name!r}")
        beside = path.with_name(name)
        try:
            return content, _checked(beside)
        except FileNotFoundError:
            if path.read_bytes() == content:
                raise ValueError(
                    f"{path} has only weights: {name}, which belongs beside it, is missing. To start from the weights "
                    "alone, name the file as start_from."
                ) from None
    raise ValueError(f"{path}: other checkpoints are written there faster than one can be read.")


def _checked(beside: Path) -> bytes:
    content = beside.read_bytes()
    if not beside.stem.endswith(f"-{hashlib.sha256(content).hexdigest()[:_DIGEST]}"):
        raise ValueError(f"{beside} is damaged: its content does not fit its name.")
    return content


def _header(content: bytes) -> Any:
    size = int.from_bytes(content[:8], "little")
    try:
        return json.loads(json.loads(content[8 : 8 + size])["__metadata__"][_HEADER])
    except ValueError as error:  # no JSON, no UTF-8, or a number of too many digits
        raise TypeError(f"its header is no JSON: {error}") from error
