"""PyTorch's own list of its functions, with arguments to call them with."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

pytest.importorskip("expecttest", reason="PyTorch's list of its functions needs it")
common = pytest.importorskip("torch.testing._internal.common_methods_invocations")

DTYPE = torch.float64
MOST_SAMPLES = 40  # of the hundreds that some functions have
MOST_VALUES = 5_000


@dataclass(frozen=True)
class Sample:
    """A function and arguments that it may be called with; `leaves` are those inside lists, too."""

    function: Callable[..., Any]
    leaves: list[Any]
    spec: TreeSpec

    @property
    def floating(self) -> list[int]:
        """Positions of the tensors that may hold spikes or weights."""
        return [
            i
            for i, x in enumerate(self.leaves)
            if isinstance(x, Tensor) and x.dtype == DTYPE and x.layout == torch.strided
        ]

    def __str__(self) -> str:
        shown = [tuple(x.shape) if isinstance(x, Tensor) else x for x in self.leaves]
        return ", ".join(map(str, shown))

    def call(self, others: Mapping[int, Any]) -> Any:
        """What the function gives with others of its arguments, always with the same random numbers."""
        # copies, as a function may write into what it is given
        leaves = [x.clone() if isinstance(x, Tensor) else x for x in self.leaves]
        for i, x in others.items():
            leaves[i] = x
        first, args, kwargs = tree_unflatten(leaves, self.spec)
        torch.default_generator.manual_seed(0)  # manual_seed() looks for a caller, which takes ms
        return self.function(first, *args, **kwargs)


def operators() -> dict[str, Any]:
    """All entries by name, such as "norm.fro"."""
    return {
        f"{op.name}.{op.variant_test_name}".rstrip("."): op
        for op in common.op_db
        if op.supports_dtype(DTYPE, "cpu")
    }


def samples(op: Any, function: Callable[..., Any] | None = None) -> Iterator[Sample]:
    """Some calls of an operator, or of another form of it."""
    torch.default_generator.manual_seed(0)
    try:  # sample_inputs() looks for its callers, which takes longer than all the rest
        given = op.sample_inputs_func(op, "cpu", DTYPE, False)
        for one in itertools.islice(given, MOST_SAMPLES):
            leaves, spec = tree_flatten((one.input, one.args, one.kwargs))
            if sum(x.numel() for x in leaves if isinstance(x, Tensor)) <= MOST_VALUES:
                yield Sample(function or op.op, leaves, spec)
    except (RuntimeError, NotImplementedError):
        return  # made for another device, or of sparse tensors


def floating_tensors(result: Any) -> list[Tensor]:
    """The real numbers of a result."""
    return [
        x
        for x in tree_leaves(result)
        if isinstance(x, Tensor) and x.is_floating_point() and x.layout == torch.strided
    ]
