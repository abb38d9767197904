"""The base of every layer that remembers something from one time step to the next."""

# More than 250 lines: the states of a layer and all that PyTorch and sinabs ask of them, one method each.

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from picojoule.activation.transforms import is_transformed, out_of_ended
from picojoule.layers.arguments import constructor_arguments
from picojoule.layers.leading_sums import summed_over_leading
from picojoule.layers.reruns import current_rerun
from picojoule.layers.single_use import single_use
from picojoule.ops.exporting import is_export_under_way, is_exporting

ValueRanges = dict[str, tuple[float, float]]


class StatefulLayer(nn.Module):
    """A module with named state tensors that persist between forward calls.

    A state is an attribute of its name: empty, of shape `(0,)`, until the first forward and after
    `reset_states`, then `b *n`. It keeps its gradient history until `reset_states` or `zero_grad`. It is
    part of the `state_dict`, which loads whatever batch size it was saved with, or without it. It moves with
    the model's parameters, but is none of its buffers: those are averaged with other models' and sent to
    other processes, which may have other batches (docs/adr/0022).

    Args:
        state_names: names of the states, such as `["v_mem"]`.
    """

    recordings: dict[str, Tensor]
    # class attributes, so that layers that were revived without __init__ have them too
    _state_names: tuple[str, ...] = ()
    _sums: tuple[Tensor, int] | None = None  # what `output_sums` gives, and of how many values
    _said_that_shapes_differ = False
    _last_shape: tuple[int, ...] | None = None  # `b *n`, which a reset leaves behind
    _began_from_states = False  # the last call, not from zeros
    _reset_in: int | None = None  # the backward pass that reset it, which runs a call once more
    _as_in_sinabs = False  # states are buffers, which keep their shape at a reset

    def __init__(self, state_names: Sequence[str]) -> None:
        super().__init__()
        self._state_names = tuple(state_names)
        for name in self._state_names:
            setattr(self, name, torch.zeros(0))
        self.recordings = {}

    @property
    def _buffers(self) -> dict[str, Tensor | None]:
        """A module's buffers, as PyTorch keeps them. `torch.export` alone is to find the states among them."""
        own, buffers = self.__dict__, self.__dict__["_buffers"]
        home, away = (buffers, own) if self._states_are_buffers() else (own, buffers)
        for name in self._state_names:
            if name in away:
                home[name] = away.pop(name)
        return buffers  # type: ignore[no-any-return]

    @_buffers.setter
    def _buffers(self, buffers: dict[str, Tensor | None]) -> None:
        self.__dict__["_buffers"] = buffers

    def _states_are_buffers(self) -> bool:
        return self._as_in_sinabs or is_export_under_way()

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """As any module's; a state stays a state."""
        if name not in self._state_names:
            super().register_buffer(name, tensor, persistent)
        elif self._states_are_buffers():
            self._buffers[name] = tensor
        else:
            self._buffers.pop(name, None)
            self.__dict__[name] = tensor

    @property
    def does_spike(self) -> bool:
        """Whether the output is spikes."""
        return False

    @property
    def arg_dict(self) -> dict[str, Any]:
        """The constructor's arguments by name: `type(layer)(**layer.arg_dict)` is built alike.

        Tensors are this layer's own, which constructors copy; modules are shared. A subclass with
        other arguments may override `_param_dict`, as in sinabs.
        """
        return self._param_dict

    @property
    def _param_dict(self) -> dict[str, Any]:
        names = constructor_arguments(type(self))
        return {name: self._argument(name) for name in names if name != "state_names"}

    def _argument(self, name: str) -> Any:
        """The constructor's argument of this name as it stands now."""
        value = getattr(self, name)
        return value.detach() if isinstance(value, Tensor) else value

    @property
    def firing_rate(self) -> Tensor | None:
        """Mean of the last output, a scalar: spikes per neuron and time step; 0 of an empty one.

        It has the gradient history of the output, until `reset_states` or `zero_grad`. None where it
        is not known: before the first forward, in a copy, and after a forward that was compiled or under a
        `torch.func.vmap` that has ended.
        """
        sums = self.output_sums
        if self._sums is None or sums is None:
            return None
        return sums.sum() / max(self._sums[1], 1)

    @property
    def output_sums(self) -> Tensor | None:
        """The last output added up over samples and time steps, `*n`, in float32 at least; None where `firing_rate` is."""
        return None if self._sums is None else out_of_ended(self._sums[0])

    def states(self) -> dict[str, Tensor]:
        """The state tensors by name; empty where a `torch.func.vmap` has left them that has ended."""
        return {name: _usable(getattr(self, name)) for name in self._state_names}

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the state, `b *n`; None before the first forward."""
        if not self.is_state_initialised():
            return None
        return tuple(next(iter(self.states().values())).shape)

    @property
    def neuron_shape(self) -> tuple[int, ...] | None:
        """Shape `*n` of the layer's neurons; None before the first forward. A reset does not forget it."""
        shape = self.shape or self._last_shape
        return None if shape is None else shape[1:]

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

    def handle_state_batch_size_mismatch(self, new_batch_size: int) -> None:
        """Give every state zeros for another batch size, where sinabs copies random samples' states."""
        for name, state in self.states().items():
            setattr(self, name, state.new_zeros((new_batch_size, *state.shape[1:])))

    def keep_samples(self, kept: Tensor) -> None:
        """Go on with some samples of the batch alone: the states of the others are dropped.

        Args:
            kept: which, `b` of bool, or their indices. A layer that has no states yet stays as it is.
        """
        if self.is_state_initialised():
            for name, state in self.states().items():
                setattr(self, name, state[kept])

    def init_state_with_shape(self, shape: Sequence[int], randomize: bool = False) -> None:
        """Give every state this shape, `b *n`, and zeros, or values from [0, 1) with `randomize`."""
        for name, state in self.states().items():
            setattr(self, name, torch.zeros(tuple(shape), dtype=state.dtype, device=state.device))
        if randomize:
            self.reset_states(randomize=True)
        self._cut_sums()

    def reset_states(
        self, randomize: bool = False, value_ranges: ValueRanges | None = None
    ) -> None:
        """Forget the states: the next call starts from zeros, whatever its batch size.

        Args:
            randomize: draw the states uniformly from `value_ranges` instead, in the shape that they had last.
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
        self._reset_in = current_rerun()
        self._last_shape = last = self.shape or self._last_shape
        for name, state in self.states().items():
            shape = (last or (0,)) if randomize or self._as_in_sinabs else (0,)
            fresh = torch.zeros(shape, dtype=state.dtype, device=state.device)
            if randomize:
                fresh.uniform_(*ranges.get(name, (0.0, 1.0)))
            setattr(self, name, fresh)
        self._cut_sums()

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Zero the gradients of the parameters and cut the gradient history of the states."""
        super().zero_grad(set_to_none)
        for name, state in self.states().items():
            setattr(self, name, state.detach())
        self._cut_sums()

    def _cut_sums(self) -> None:
        sums = self.output_sums
        self._sums = None if self._sums is None or sums is None else (sums.detach(), self._sums[1])

    def _carried_states(self, shape: tuple[int, ...]) -> dict[str, Tensor] | None:
        """The states to go on from if they fit `b *n`; None to start from zeros.

        A call that a backward pass makes once more starts where the call did that it repeats: from zeros, or it is an error.
        """
        states = self._fitting_states(shape)
        if torch.compiler.is_compiling():
            return states
        if not self._runs_again():
            self.__dict__["_began_from_states"] = states is not None
            return states
        if self._began_from_states:
            raise RuntimeError(
                f"{type(self).__name__}: this call runs again in a backward pass (torch.utils.checkpoint), and the first time it "
                "began from states that are gone, so its gradients would be wrong. Use picojoule.checkpoint_time(layers, x, "
                "steps=...), which keeps them, or call picojoule.reset_states(model) before each call of what is checkpointed."
            )
        return None

    def _runs_again(self) -> bool:
        """Whether a backward pass calls this once more, without a reset that is part of what it repeats."""
        return current_rerun() not in (None, self._reset_in)

    def _fitting_states(self, shape: tuple[int, ...]) -> dict[str, Tensor] | None:
        """The states left by the last call if they fit `b *n`."""
        self._check_that_states_are_usable()
        states = self.states()
        if is_exporting() and not self.state_has_shape(shape):
            # a program's buffers keep their shape; torch would say so only when it runs
            raise ValueError(
                f"{type(self).__name__}: a program that goes on from call to call needs states of shape "
                f"{shape} to export, but they have shape {self.shape}. Call "
                f"init_state_with_shape({shape}), or the model once on the example, before the export."
            )
        if not self.is_state_initialised():
            return None
        if not self.state_has_shape(shape):
            self._say_that_shapes_differ(shape)
            return None
        if torch.compiler.is_compiling():  # which cannot ask where a tensor was made
            return states
        # a tensor made under inference_mode cannot enter autograd; its copy can
        return {
            name: state.clone() if state.is_inference() else state for name, state in states.items()
        }

    def _check_that_states_are_usable(self) -> None:
        """Raise unless a call can go on from the states: one that a vmap has left has no values once that has ended."""
        if any(out_of_ended(getattr(self, name)) is None for name in self._state_names):
            raise RuntimeError(
                f"{type(self).__name__}: the state was left by a call under torch.func.vmap, which has ended. "
                "Call picojoule.reset_states(model) to start from zeros; or hand buffers in and out, as in "
                "torch.func.functional_call(model, {**parameters, **buffers}, x) with those of "
                "torch.func.stack_module_state."
            )

    def _drop_unusable(self) -> None:
        """Forget states that a transform has left that has ended; of a derivative's, keep the values."""
        for name, state in self.states().items():
            if state is not getattr(self, name):
                setattr(self, name, state)

    def _say_that_shapes_differ(self, shape: tuple[int, ...]) -> None:
        """Warn, once a layer, that states other than zeros are dropped; under a transform nobody can look."""
        if torch.compiler.is_compiling() or is_transformed() or self._said_that_shapes_differ:
            return
        if any(bool(state.any()) for state in self.states().values()):
            self._said_that_shapes_differ = True
            warnings.warn(
                f"{type(self).__name__}: the input needs states of shape {shape}, the last call left "
                f"{self.shape}; starting from zeros. Call picojoule.reset_states(model) between "
                "unrelated inputs to say that this is meant. This layer will not say it again.",
                stacklevel=4,
            )

    def _commit(
        self,
        output: Tensor,
        states: dict[str, Tensor],
        recordings: dict[str, Tensor],
        sums: Tensor | None = None,
    ) -> Tensor:
        """Store what a forward pass leaves behind and return its output.

        `sums` are the output added up over samples and time steps, where that is known already.
        """
        known = [] if sums is None else [sums]
        outputs, ends = single_use(
            type(self).__name__, [output, *recordings.values(), *known], list(states.values())
        )
        if self._runs_again():  # what the first call has left stays
            return outputs[0]
        self._leave_states(dict(zip(states, ends, strict=True)))
        made = dict(zip(recordings, outputs[1:], strict=sums is None))
        if torch.compiler.is_compiling():
            self.recordings, self._sums = made, None
        else:
            total = _sums(outputs[0]) if sums is None else (outputs[-1], output.numel())
            self.__dict__.update(recordings=made, _sums=total)
        return outputs[0]

    def _leave_states(self, ends: dict[str, Tensor]) -> None:
        own, compiling = self.__dict__, torch.compiler.is_compiling()
        if compiling or self._states_are_buffers() or not ends.keys() <= own.keys():
            for name, state in ends.items():
                self._leave_state(name, state)
        else:
            own.update(ends)  # past nn.Module.__setattr__, which takes as long as a small kernel

    def _leave_state(self, name: str, state: Tensor) -> None:
        if (
            is_exporting()
        ):  # which forgets what a layer inside another assigns, but not what it writes
            getattr(self, name).copy_(state.detach())
        else:
            setattr(self, name, state)

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
        saved = {name: state_dict.get(prefix + name) for name in self._state_names}
        keys = {prefix + name for name in saved}
        others = {key: value for key, value in state_dict.items() if key not in keys}
        super()._load_from_state_dict(
            others, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        missing_keys[:] = [key for key in missing_keys if key not in keys]
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, state in self.states().items():
            value = saved[name]
            if isinstance(value, Tensor):
                own = value.detach() if assign else value.detach().to(state, copy=True)
                setattr(self, name, own)
            elif value is not None:
                error_msgs.append(
                    f"{prefix}{name} is a {type(value).__name__}, expected a tensor, `b *n`."
                )

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        self._drop_unusable()
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, state in self.states().items():
            destination[prefix + name] = state if keep_vars else state.detach()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._drop_unusable()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name in self._state_names:
            if name in self.__dict__:
                self.__dict__[name] = fn(self.__dict__[name])
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles carry: values without their gradient history."""
        self._drop_unusable()
        buffers = self._buffers
        state = self.__dict__.copy()
        state["_buffers"] = {n: None if x is None else x.detach() for n, x in buffers.items()}
        state.update((n, state[n].detach()) for n in self._state_names if n in state)
        state["recordings"] = {name: _usable(x).detach() for name, x in self.recordings.items()}
        state.pop("_sums", None)
        return state


def _usable(tensor: Tensor) -> Tensor:
    """A tensor without transforms of torch.func that have ended; an empty one in place of one that has no values now."""
    left = out_of_ended(tensor)
    return torch.zeros(0, dtype=tensor.dtype, device=tensor.device) if left is None else left


def _sums(output: Tensor) -> tuple[Tensor, int]:
    """Made now: to hold on to the output would keep it in memory where the next layer does not need it."""
    dtype = torch.promote_types(output.dtype, torch.float32)
    return summed_over_leading(output, 2, dtype), output.numel()
