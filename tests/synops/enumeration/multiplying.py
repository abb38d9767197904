"""Which functions of PyTorch multiply two of their tensors, found by value; and models made of one such product."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from picojoule import Monitor
from tests.synops.enumeration.samples import DTYPE, Sample, real_numbers


def pairs(sample: Sample) -> Iterator[tuple[int, int]]:
    """Positions of two tensors of several values that are multiplied with one another.

    f(x, w) multiplies x and w if its mixed difference

        d(dx, dw) = f(x+dx, w+dw) - f(x+dx, w) - f(x, w+dw) + f(x, w)

    is not zero, and is linear in both: d(2 dx, dw) = d(dx, 2 dw) = 2 d(dx, dw).
    """
    several = [i for i in sample.floating if sample.leaves[i].numel() > 1]
    for i, j in itertools.combinations(several, 2):
        try:
            if _multiplies(sample, i, j):
                yield i, j
        except (RuntimeError, ValueError, IndexError):
            continue  # not defined at these values


def _multiplies(sample: Sample, i: int, j: int) -> bool:
    generator = torch.Generator().manual_seed(1)
    dx, dw = (
        torch.rand(sample.leaves[n].shape, generator=generator, dtype=DTYPE) + 0.1 for n in (i, j)
    )
    once = _mixed(sample, {i: dx}, {j: dw})
    if not once or not any(bool((d.abs() > 1e-6).any() & d.isfinite().all()) for d in once):
        return False
    return all(
        torch.allclose(twice, 2 * d, rtol=1e-5, atol=1e-7, equal_nan=True)
        for others in (_mixed(sample, {i: 2 * dx}, {j: dw}), _mixed(sample, {i: dx}, {j: 2 * dw}))
        for twice, d in zip(others, once, strict=True)
    )


def _mixed(sample: Sample, dx: dict[int, Tensor], dw: dict[int, Tensor]) -> list[Tensor]:
    both, first, second, neither = (
        real_numbers(sample.call({n: sample.leaves[n] + d for n, d in changes.items()}))
        for changes in ({**dx, **dw}, dx, dw, {})
    )
    return [a - b - c + d for a, b, c, d in zip(both, first, second, neither, strict=True)]


class OneProduct(nn.Module):
    """A function whose tensor at `weight` is a parameter, and which is handed the one at `data`."""

    def __init__(self, sample: Sample, data: int, weight: int) -> None:
        super().__init__()
        self.sample, self.positions = sample, (data, weight)
        self.weight = nn.Parameter(sample.leaves[weight].clone())

    def forward(self, x: Tensor) -> Any:
        data, weight = self.positions
        return self.sample.call({data: x, weight: self.weight})


@dataclass(frozen=True)
class Answer:
    """What a Monitor says of a model."""

    synops: float = 0.0
    macs: float = 0.0
    refused: str = ""

    def is_silent(self) -> bool:
        """Whether it says nothing at all."""
        return not (self.refused or self.synops > 0 or self.macs > 0)


def watched(model: nn.Module, *args: Any, **kwargs: Any) -> Answer:
    """The SynOps and MACs of a call, or that it was refused."""
    try:
        with Monitor(model) as monitor:
            model(*args, **kwargs)
    except (NotImplementedError, ValueError) as error:
        return Answer(refused=repr(error))
    return Answer(monitor.synops.total.item(), monitor.macs.total.item())


def silent(samples: Iterator[Sample]) -> dict[str, Answer]:
    """The products of some calls of which a Monitor says nothing, each kind of shapes once."""
    found: dict[str, Answer] = {}
    tried = set[Any]()
    for sample in samples:
        for pair in pairs(sample):
            for data, weight in (pair, pair[::-1]):
                shapes = [tuple(sample.leaves[n].shape) for n in (data, weight)]
                kind = (data, weight, *map(len, shapes))
                if kind in tried:
                    continue
                tried.add(kind)
                model = OneProduct(sample, data, weight)
                answer = watched(model, spikes_like(sample.leaves[data]))
                if answer.is_silent():
                    found[
                        f"spikes {shapes[0]}, parameter {shapes[1]} (arguments {data}, {weight})"
                    ] = answer
    return found


def spikes_like(x: Tensor) -> Tensor:
    """Ones and twos in turn, so that differences are spikes, too."""
    return (torch.arange(x.numel()) % 2 + 1).to(x.dtype).reshape(x.shape)
