"""A cell that several layers share: which of its calls are one layer's.

    s1, v1 = cell(fc1(x), v1);   s2, v2 = cell(fc2(s1), v2)

A layer is known by the state that each of its calls hands on to the next, or by the shape of its neurons.
"""

from __future__ import annotations

from collections import Counter

from torch import Tensor

from picojoule.synops.watch.tensor_map import TensorMap


class CellCalls:
    """The calls of one module in a forward pass.

    Example:
        >>> import torch
        >>> calls, x, states = CellCalls(), torch.ones(2, 3), [torch.zeros(2, 3), torch.ones(2, 3)]
        >>> for layer in [0, 1] * 4:
        ...     before, states[layer] = states[layer], states[layer] + x
        ...     calls.add([x, before], [x, states[layer]])
        >>> calls.by_layer, calls.at_once
        ([4, 4], True)
    """

    def __init__(self) -> None:
        self._chains: list[int] = []  # calls in each
        self._of_state: TensorMap[int] = TensorMap()  # the chain that a state is of
        self._shapes: Counter[tuple[int, ...]] = Counter()
        self._interleaved = False

    def add(self, given: list[Tensor], made: list[Tensor]) -> None:
        """One more call: what it was given, and its spikes and states."""
        known = (self._of_state.get(x) for x in reversed(given))
        chain = next((number for number in known if number is not None), len(self._chains))
        if chain == len(self._chains):
            self._chains.append(0)
        self._interleaved |= chain < len(self._chains) - 1
        self._chains[chain] += 1
        self._shapes[tuple(made[0].shape[1:])] += 1
        for state in made[1:]:
            self._of_state[state] = chain

    @property
    def by_layer(self) -> list[int]:
        """How many calls each layer made, as far as can be told; one number if there is one layer."""
        handed_on = [calls for calls in self._chains if calls > 1]
        return handed_on if len(handed_on) > 1 else [*self._shapes.values()]

    @property
    def at_once(self) -> bool:
        """Whether those are layers, which run side by side, and not one that began anew."""
        return self._interleaved or len(self._shapes) > 1
