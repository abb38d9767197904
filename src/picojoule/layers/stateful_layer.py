"""The base of every layer that remembers something from one time step to the next."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers.single_use import single_use

ValueRanges = dict[str, tuple[float, float]]


class StatefulLayer(nn.Module):
    """A module with named state tensors that persist between forward calls.

    A state lives in a buffer of its name: empty, of shape `(0,)`, until the first forward, then
    `b *n`. It keeps its gradient history until `reset_states` or `zero_grad`. It is part of the
    `state_dict`, which loads whatever batch size it was saved with, or without it.

    Args:
        state_names: names of the states, such as `["v_mem"]`.
    """

    recordings: dict[str, Tensor]
    _state_names: tuple[str, ...] = ()

    def __init__(self, state_names: Sequence[str]) -> None:
        super().__init__()
        self._state_names = tuple(state_names)
        for name in self._state_names:
            self.register_buffer(name, torch.zeros(0))
        self.recordings = {}

    @property
    def does_spike(self) -> bool:
        """Whether the output is spikes."""
        return False

    def states(self) -> dict[str, Tensor]:
        """The state tensors by name."""
        return {name: getattr(self, name) for name in self._state_names}

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the state, `b *n`; None before the first forward."""
        if not self.is_state_initialised():
            return None
        return tuple(next(iter(self.states().values())).shape)

    def is_state_initialised(self) -> bool:
        """Whether every state has a shape."""
        return all(tuple(state.shape) != (0,) for state in self.states().values())

    def state_has_shape(self, shape: Sequence[int]) -> bool:
        """Whether every state has exactly this shape, `b *n`."""
        return all(tuple(state.shape) == tuple(shape) for state in self.states().values())

    def has_trailing_dimension(self, trailing_dim: Sequence[int]) -> bool:
        """Whether every state has this shape after the batch axis."""
        return all(
            tuple(state.shape[1:]) == tuple(trailing_dim) for state in self.states().values()
        )

    def init_state_with_shape(self, shape: Sequence[int], randomize: bool = False) -> None:
        """Give every state this shape, `b *n`, and zeros, or values from [0, 1) with `randomize`."""
        for name, state in self.states().items():
            setattr(self, name, torch.zeros(tuple(shape), dtype=state.dtype, device=state.device))
        self.reset_states(randomize=randomize)

    def reset_states(
        self, randomize: bool = False, value_ranges: ValueRanges | None = None
    ) -> None:
        """Set the states to zero and cut their gradient history.

        Args:
            randomize: draw uniformly from `value_ranges` instead.
            value_ranges: (lowest, highest) by state name; (0, 1) where a name is missing.

        Raises:
            ValueError: `value_ranges` names a state that this layer does not have.
        """
        ranges = value_ranges or {}
        unknown = sorted(set(ranges) - set(self._state_names))
        if unknown:
            raise ValueError(
                f"{type(self).__name__}.reset_states: no state named {unknown}; "
                f"this layer has {list(self._state_names)}."
            )
        for name, state in self.states().items():
            fresh = torch.zeros_like(state, requires_grad=False)
            if randomize:
                fresh.uniform_(*ranges.get(name, (0.0, 1.0)))
            setattr(self, name, fresh)

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Zero the gradients of the parameters and cut the gradient history of the states."""
        super().zero_grad(set_to_none)
        for name, state in self.states().items():
            setattr(self, name, state.detach())

    def _carried_states(self, shape: tuple[int, ...]) -> dict[str, Tensor] | None:
        """The states left by the last call if they fit `b *n`; None to start from zeros."""
        states = self.states()
        if not self.is_state_initialised():
            return None
        if not self.state_has_shape(shape):
            if any(bool(state.any()) for state in states.values()):
                warnings.warn(
                    f"{type(self).__name__}: the input needs states of shape {shape}, the last call left "
                    f"{self.shape}; starting from zeros. Call picojoule.reset_states(model) between "
                    "unrelated inputs to say that this is meant.",
                    stacklevel=3,
                )
            return None
        # a tensor made under inference_mode cannot enter autograd; its copy can
        return {
            name: state.clone() if state.is_inference() else state for name, state in states.items()
        }

    def _commit(
        self, output: Tensor, states: dict[str, Tensor], recordings: dict[str, Tensor]
    ) -> Tensor:
        """Store what a forward pass leaves behind and return its output."""
        outputs, ends = single_use(
            type(self).__name__, [output, *recordings.values()], list(states.values())
        )
        for name, state in zip(states, ends, strict=True):
            setattr(self, name, state)
        self.recordings = dict(zip(recordings, outputs[1:], strict=True))
        return outputs[0]

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        absent = []
        for name, state in self.states().items():
            saved = state_dict.get(prefix + name)
            if saved is None:
                absent.append(prefix + name)
            else:
                setattr(
                    self, name, torch.zeros(saved.shape, dtype=state.dtype, device=state.device)
                )
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        for key in absent:
            if key in missing_keys:
                missing_keys.remove(key)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles carry: values without their gradient history."""
        state = self.__dict__.copy()
        state["_buffers"] = {
            name: None if buffer is None else buffer.detach()
            for name, buffer in self._buffers.items()
        }
        state["recordings"] = {name: x.detach() for name, x in self.recordings.items()}
        return state
