"""Sums over all processes, in one collective, with their gradient."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function

from picojoule.synops.magnitudes import exact_dtype
from picojoule.synops.watch.ledger import Ledger
from picojoule.synops.watch.pass_size import PassSize

Group = Any  # torch.distributed.ProcessGroup, a name that builds without distributed lack
Reduce = Literal["auto"] | Group | None


def unwrapped(model: nn.Module) -> nn.Module:
    """The user's own model, with its own names, inside `torch.compile` or DistributedDataParallel."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ == "DistributedDataParallel":
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def group_of(reduce: Reduce) -> Group | None:
    """The processes to add up over; None if there is only this one.

    Args:
        reduce: "auto" for all processes, None for this one alone, or a process group.

    Raises:
        ValueError: this process is not in the group.
    """
    if reduce is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    group = distributed.group.WORLD if reduce == "auto" else reduce
    size = distributed.get_world_size(group)
    if size < 1:
        raise ValueError(
            f"Monitor: this process (rank {distributed.get_rank()}) is not in the process group reduce={reduce!r}. "
            "Pass reduce=None here."
        )
    return group if size > 1 else None


def summed_over(group: Group, ledger: Ledger) -> Ledger:
    """The ledger of all processes of a group: one all-reduce for all layers, nothing waits for it.

        global = sum over ranks of local;   d loss / d local = sum over ranks of d loss[rank] / d global

    Every rank adds its whole penalty to its loss. `DistributedDataParallel` takes the mean of the
    gradients over the W ranks, that is, of the mean of their losses; each rank's gradient of a global
    sum is W times as large as its own, so the mean is the gradient of one process with all samples.
    (Gradients that are added up over ranks by hand have to be divided by W.)

    Samples and steps are added up too, so a rank with more samples weighs more. Processes
    whose forward passes called different layers get NaN, or the backend's error about sizes.
    """
    leaves = list(_leaves(_Summed.of(ledger)))
    with torch.enable_grad():  # the graph is there for later readers, whoever reads first
        flat = _packed(leaves, _layout(ledger, leaves))
        total = _all_reduce(flat, group)
        agreed = total[0] == flat[0].detach() * distributed.get_world_size(group)
        parts = iter(
            torch.split(torch.where(agreed, total, torch.nan)[1:], [_length(x) for x in leaves])
        )
        summed: _Summed = _filled(_Summed.of(ledger), parts)
    return summed.ledger(ledger)


class _Summed(dict[str, Any]):
    """What of a ledger is added up; detail, notes and inputs are of this process's own samples."""

    @classmethod
    def of(cls, ledger: Ledger) -> _Summed:
        values = {f.name: getattr(ledger, f.name) for f in fields(ledger)}
        values = {name: value for name, value in values.items() if name not in _OWN}
        samples = float(sum(p.samples for p in ledger.passes))
        return cls(values, _samples=samples, _sample_steps=_sample_steps(ledger))

    def ledger(self, local: Ledger) -> Ledger:
        # tensors, as their numbers are not known here without waiting for the device
        samples, sample_steps = (
            self.pop(name).clamp(min=1) for name in ("_samples", "_sample_steps")
        )
        number = max(len(local.passes), 1)
        passes = [PassSize(samples / number, sample_steps / samples)] * number
        return replace(local, **self, passes=passes)


_OWN = ("passes", "details", "rate_details", "notes", "inputs", "turned")


def _sample_steps(ledger: Ledger) -> float:
    return float(sum(p.samples * p.num_timesteps for p in ledger.passes))


def _leaves(tree: Any) -> Iterator[Tensor | float]:
    if isinstance(tree, Tensor | int | float):
        yield tree
    elif is_dataclass(tree):
        for each in fields(tree):
            yield from _leaves(getattr(tree, each.name))
    elif isinstance(tree, dict | tuple):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(value)


def _filled(tree: Any, parts: Iterator[Tensor]) -> Any:
    """The same tree with the next parts for its numbers; what was a flag is whether any was set."""
    if isinstance(tree, Tensor | int | float):
        part = next(parts)
        if not isinstance(tree, Tensor):
            return part[0].detach() != 0 if isinstance(tree, bool) else part[0].detach()
        part = part.reshape(tree.shape) if tree.requires_grad else part.detach().reshape(tree.shape)
        return part != 0 if tree.dtype == torch.bool else part.to(tree.dtype)
    if is_dataclass(tree) and not isinstance(tree, type):
        values = {each.name: _filled(getattr(tree, each.name), parts) for each in fields(tree)}
        return replace(tree, **values)
    if isinstance(tree, dict):
        values = {key: _filled(value, parts) for key, value in tree.items()}
        return type(tree)(values)
    return tuple(_filled(value, parts) for value in tree) if isinstance(tree, tuple) else tree


def _packed(leaves: list[Tensor | float], layout: float) -> Tensor:
    """All numbers in one vector, after one that stands for the layout."""
    like = next((x for x in leaves if isinstance(x, Tensor) and x.is_floating_point()), None)
    device = torch.device("cpu") if like is None else like.device
    dtype = torch.float64 if like is None else exact_dtype(like)
    host = [layout, *(float(x) for x in leaves if not isinstance(x, Tensor))]
    numbers = iter(torch.split(torch.tensor(host, dtype=dtype, device=device), 1))
    return torch.cat(
        [
            next(numbers),
            *(
                x.reshape(-1).to(device, dtype) if isinstance(x, Tensor) else next(numbers)
                for x in leaves
            ),
        ]
    )


def _layout(ledger: Ledger, leaves: list[Tensor | float]) -> float:
    """A whole number that depends on which layers there are; small, so that its sum over processes stays exact."""
    words = [*ledger.lines, *ledger.rates, *map(str, map(_length, leaves))]
    return float(zlib.crc32("\n".join(words).encode()) % 2**16)


def _length(leaf: Tensor | float) -> int:
    return leaf.numel() if isinstance(leaf, Tensor) else 1


def _reduced(values: Tensor, group: Group) -> Tensor:
    values = values.detach().clone()
    distributed.all_reduce(values, group=group)
    return values


def _all_reduce(values: Tensor, group: Group) -> Tensor:
    if not values.requires_grad:
        return _reduced(values, group)
    summed: Tensor = _AllReduce.apply(values, group)  # type: ignore[no-untyped-call]
    return summed


class _AllReduce(Function):
    """Sum over processes, whose gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return _reduced(values, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _all_reduce(gradients[0].contiguous(), ctx.group), None
