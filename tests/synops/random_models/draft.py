"""A random model while it is written down: its modules, and beside them what each tensor is and what each node spends."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.synops.random_models.values import Pair, Value, dense, spikes

B, T = 2, 3
SHAPES = [(6,), (4, 6), (2, 5, 6), (2, 3, 3, 4)]
LARGEST = 160  # values of a sample at one step


@dataclass(frozen=True)
class Node:
    """A module and the numbers of the tensors that it is called with."""

    module: nn.Module
    inputs: tuple[int, ...]


class Draft:
    """Tensors so far, and the nodes that make them.

    Args:
        seed: of all that is drawn.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        torch.manual_seed(seed)
        self.values: list[Value] = []
        self.nodes: list[Node] = []
        self.kinds: list[str] = []
        self.spent: dict[str, Pair] = {}
        shape = self.rng.choice(SHAPES)
        for _ in range(self.rng.choice([1, 1, 2])):
            image = self.coin(0.3)
            x = torch.rand(B, T, *shape, dtype=torch.float64)
            self.values.append(dense(x) if image else spikes((x < 0.4).double()))
        self.inputs = [x.value for x in self.values]

    # ---- drawing

    def coin(self, chance: float = 0.5) -> bool:
        return self.rng.random() < chance

    def number(self, least: int, most: int) -> int:
        return self.rng.randint(least, most)

    def one_of(self, things: Any) -> Any:
        return self.rng.choice(list(things))

    def take(
        self,
        axes: tuple[int, ...] = (1, 2, 3, 4),
        fits: Callable[[Value], bool] = lambda _: True,
    ) -> int | None:
        """The number of a tensor with so many axes behind `b t`; late ones and spikes are likelier."""
        known = [i for i, x in enumerate(self.values) if x.value.ndim - 2 in axes and fits(x)]
        if self.coin(0.5):
            known = [i for i in known if self.values[i].spikes] or known
        if not known:
            return None
        return known[-1 - min(int(self.rng.expovariate(0.7)), len(known) - 1)]

    def take_uniform(self, axes: tuple[int, ...] = (1, 2, 3, 4)) -> int | None:
        """One whose spikes, if it has any, are all worth one number."""
        return self.take(axes, lambda x: not x.spikes or x.same == "one")

    def partner(self, first: int, fits: Callable[[Value], bool] = lambda _: True) -> int | None:
        """Another of the same shape."""
        shape = self.values[first].value.shape
        found = [i for i, x in enumerate(self.values) if x.value.shape == shape and fits(x)]
        others = [i for i in found if i != first] or found
        return self.one_of(others) if others else None

    # ---- writing down

    def put(
        self,
        module: nn.Module,
        inputs: list[int],
        *outputs: Value,
        spent: Pair = (0.0, 0.0),
        owner: str | None = None,
    ) -> str | None:
        """Enter a node, unless it makes too much; its name. `owner` is the node whose module it shares."""
        if any(x.value[0, 0].numel() > LARGEST or x.value.numel() == 0 for x in outputs):
            return None
        if not all(x.value.isfinite().all() and x.value.abs().max() < 1e4 for x in outputs):
            return None
        name = f"n{len(self.nodes)}"
        self.nodes.append(Node(module, tuple(inputs)))
        self.values += outputs
        before = self.spent.get(owner or name, (0.0, 0.0))
        self.spent[owner or name] = (before[0] + spent[0], before[1] + spent[1])
        return name


class RandomModel(nn.Module):
    """Calls the nodes in order; gives all tensors."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.calls = [node.inputs for node in draft.nodes]
        for index, node in enumerate(draft.nodes):
            self.add_module(f"n{index}", node.module)
        self.double()

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        values = list(inputs)
        for index, numbers in enumerate(self.calls):
            made = getattr(self, f"n{index}")(*(values[i] for i in numbers))
            values += made if isinstance(made, list | tuple) else [made]
        return values


class Call(nn.Module):
    """A node that calls a function of its own, with its weights and parts.

    Args:
        function: called with this module and the node's inputs.
        parts: parameters, buffers (tensors that need no gradient) and modules, by name.
    """

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs)


class Folded(nn.Module):
    """A layer without time, over batch and time as one axis."""

    def __init__(self, layer: nn.Module, spelling: int) -> None:
        super().__init__()
        self.layer, self.spelling = layer, spelling

    def forward(self, x: Tensor) -> Tensor:
        if self.spelling == 0:
            return self.layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        if self.spelling == 1:
            y = self.layer(x.reshape(-1, *x.shape[2:]))
            return y.reshape(*x.shape[:2], *y.shape[1:])
        return torch.stack([self.layer(x[:, t]) for t in range(x.shape[1])], dim=1)


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, dtype=torch.float64))


def folded(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function without time, over `b t`."""

    def over_all(x: Tensor) -> Tensor:
        return function(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    return over_all
