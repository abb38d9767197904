"""A file of `torch.save`, read without running the code that a pickle may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def read_pickled(file: str | Path, advice: str) -> Any:
    """The tensors in a file, and the lists and dicts that hold them, on the CPU.

    Args:
        file: what `torch.save` wrote; read with `weights_only=True`.
        advice: what to do if it holds more.

    Raises:
        OSError: it cannot be opened.
        ValueError: it holds more than tensors, or is damaged.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "ones.pt"
        >>> torch.save([torch.ones(2)], file)
        >>> read_pickled(file, "Save tensors.")
        [tensor([1., 1.])]
    """
    with Path(file).open("rb") as opened:
        try:
            return torch.load(opened, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle raises nearly anything, OSError too
            raise ValueError(
                f"{file} holds more than tensors, or is damaged, and is not loaded: a pickle can run code. {advice}"
            ) from error
