"""What a model is shown to be counted: drawn at random from shapes, or read from files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from picojoule.data.npy import read_npy
from picojoule.training.files.pickled import read_pickled


@dataclass(frozen=True)
class ModelInput:
    """What a model is called with, and what it is in words."""

    args: tuple[Any, ...]
    words: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> Tensor:
        """The first tensor, whose first axis is the samples."""
        return self._tensors()[0]

    @property
    def shapes(self) -> str:
        """Of all tensors, as they are typed."""
        return "; ".join(_shown(tensor.shape) for tensor in self._tensors())

    @property
    def steps(self) -> int:
        """Time steps of an input that is cut into them along its second axis.

        Raises:
            ValueError: a tensor has no such axis, or the tensors differ.
        """
        lengths = {tensor.shape[1] if tensor.ndim > 1 else None for tensor in self._tensors()}
        (steps,) = lengths if len(lengths) == 1 else (None,)
        if steps is None:
            raise ValueError(
                f"--time-axis outer cuts each input into time steps along its second axis, and these are of shape "
                f"{self.shapes}. Give the batch first, then the time, such as --input 1,50,2,34,34."
            )
        return steps

    def at_step(self, step: int) -> ModelInput:
        """One time step of it."""
        args, kwargs = pytree.tree_map_only(
            Tensor, lambda tensor: tensor[:, step], (self.args, self.kwargs)
        )
        return replace(self, args=args, kwargs=kwargs)

    @property
    def has_whole_numbers(self) -> bool:
        """Whether any tensor is of integers or booleans."""
        return not all(tensor.is_floating_point() for tensor in self._tensors())

    def as_floats(self) -> ModelInput:
        """The same numbers as floats, for models that take no integers."""
        args, kwargs = pytree.tree_map_only(Tensor, _as_float, (self.args, self.kwargs))
        return replace(self, args=args, kwargs=kwargs, words=f"{self.words}, as floats")

    def in_dtype(self, dtype: torch.dtype) -> ModelInput:
        """The same with floats of that type, as a model of float64 takes them."""

        def cast(x: Tensor) -> Tensor:
            return x.to(dtype) if x.is_floating_point() else x

        args, kwargs = pytree.tree_map_only(Tensor, cast, (self.args, self.kwargs))
        words = f"{self.words}, as {str(dtype).removeprefix('torch.')}"
        return replace(self, args=args, kwargs=kwargs, words=words)

    def _tensors(self) -> list[Tensor]:
        leaves = pytree.tree_leaves((self.args, self.kwargs))
        return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def _as_float(values: Tensor) -> Tensor:
    return values if values.is_floating_point() else values.float()


_RATE = 0.1


def drawn_or_read(given: Sequence[str], rate: float | None, dense: bool, seed: int) -> ModelInput:
    """:func:`model_input` of a rate that a user may have left out; 0.1 then.

    Raises:
        ValueError: as of :func:`model_input`; or a rate is stated, and nothing is drawn by it.
    """
    shown = model_input(given, _RATE if rate is None else rate, dense, seed)
    if rate is None:
        return shown
    way = "Leave --rate out."
    if dense:
        raise ValueError(
            f"--rate is of random spikes, and --dense draws values in their place. {way}"
        )
    if all(Path(each).suffix.lower() in _READERS for each in given):
        raise ValueError(f"--rate is of random spikes, and each --input is a file. {way}")
    return shown


def model_input(given: Sequence[str], rate: float, dense: bool, seed: int) -> ModelInput:
    """The inputs that a user names, in the order of the model's arguments.

    Args:
        given: each a shape, "1,50,2,34,34" or "1x50x2x34x34"; an `.npy` file, whose integers stay integers
            (token ids, for instance); or a `.pt` file of a tensor, or of several by position or name.
        rate: share of ones among random spikes, 0 to 1.
        dense: draw values between 0 and 1 instead of spikes.
        seed: of the random numbers.

    Raises:
        ValueError: one is neither a shape nor a file of numbers; or the rate is not 0 to 1.

    Example:
        >>> shown = model_input(["2,5,3"], rate=0.1, dense=False, seed=0)
        >>> shown.first.shape, shown.words
        (torch.Size([2, 5, 3]), 'random spikes of shape 2,5,3, each with probability 0.1 (seed 0)')
    """
    generator = torch.Generator().manual_seed(seed)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    words = []
    for each in given:
        reader = _READERS.get(Path(each).suffix.lower())
        if reader is None:
            content, what = _drawn(each, rate, dense, generator)
            words.append(f"{what} (seed {seed})")
        else:
            content, what = reader(Path(each))
            _check_numbers(each, content)
            words.append(what)
        if isinstance(content, dict):
            kwargs |= content
        else:
            args += content
    if dense and all(Path(each).suffix.lower() in _READERS for each in given):
        raise ValueError(
            "--dense draws values in place of random spikes, and each --input is a file. Leave it out; "
            "--input-kind dense takes what is in a file for dense values."
        )
    return ModelInput(tuple(args), "; ".join(words), kwargs)


def _check_numbers(file: str, content: Any) -> None:
    """Raise ValueError at the first number that is not finite: each figure after it would be NaN."""
    values = content.values() if isinstance(content, dict) else content
    for x in values:
        broken = ~torch.isfinite(x) if isinstance(x, Tensor) and x.is_floating_point() else None
        if broken is not None and bool(broken.any()):
            first = broken.nonzero()[0].tolist()
            raise ValueError(
                f"--input {file}: the value at {first} is {x[tuple(first)].item():g} in {x.dtype}. Give an input of finite numbers."
            )


def _drawn(
    given: str, rate: float, dense: bool, generator: torch.Generator
) -> tuple[list[Tensor], str]:
    if not 0 <= rate <= 1:
        raise ValueError(f"--rate is {rate}, expected a probability, 0 to 1.")
    shape = _shape(given)
    random = torch.rand(shape, generator=generator)
    if dense:
        return [random], f"random values in 0..1 of shape {_shown(shape)}"
    words = f"random spikes of shape {_shown(shape)}, each with probability {rate:g}"
    return [(random < rate).float()], words


def _shape(given: str) -> tuple[int, ...]:
    parts = re.split(r"[,x ]+", given.strip("()[] "))
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(
            f"--input is {given!r}, expected a shape with the batch first, such as 1,50,2,34,34, or an .npy or .pt "
            "file. A model of several inputs takes several --input."
        )
    shape = tuple(map(int, parts))
    if math.prod(shape) > 2**31:
        raise ValueError(f"--input {given} has {math.prod(shape):,} values, too many to draw.")
    return shape


def _read_npy(file: Path) -> tuple[list[Tensor], str]:
    try:
        values = read_npy(file)
    except ValueError as error:
        raise ValueError(f"{error} numpy.save({str(file)!r}, array) writes one.") from error
    return _checked(file, [values])


def _read_pt(file: Path) -> tuple[Any, str]:
    """A tensor, a list of the arguments, or a dict of them by name; no pickle that could run code."""
    content = read_pickled(file, "Save a tensor, a list of tensors, or a dict of them by name.")
    if isinstance(content, Tensor):
        content = [content]
    if isinstance(content, tuple):
        content = list(content)
    if not isinstance(content, list | dict) or not all(
        isinstance(k, str) for k in content if isinstance(content, dict)
    ):
        raise ValueError(
            f"{file}: expected a tensor, a list of tensors, or a dict of them by name."
        )
    return _checked(file, content)


def _checked(file: Path, content: Any) -> tuple[Any, str]:
    tensors = [leaf for leaf in pytree.tree_leaves(content) if isinstance(leaf, Tensor)]
    if not tensors or not all(tensor.ndim and tensor.numel() for tensor in tensors):
        raise ValueError(
            f"{file} has no numbers, or no samples: expected tensors with the batch first."
        )
    return content, f"{file}, of shape {'; '.join(_shown(tensor.shape) for tensor in tensors)}"


_READERS: dict[str, Callable[[Path], tuple[Any, str]]] = {
    ".npy": _read_npy,
    ".pt": _read_pt,
    ".pth": _read_pt,
}


def _shown(shape: Sequence[int]) -> str:
    return ",".join(map(str, shape))
