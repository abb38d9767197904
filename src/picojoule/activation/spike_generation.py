"""Spike functions: how many spikes a neuron sends at a membrane potential.

A spike function is a frozen dataclass with one method, ``count``. ``apply(v_mem, spike_threshold,
surrogate)`` joins it to a surrogate gradient; it may be called on an instance or on the class
itself (``MultiSpike.apply``), which stands for the instance with default arguments. A custom
spike function is any object with such an ``apply``, a ``torch.autograd.Function`` among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from picojoule.activation.surrogate_gradient_fn import SurrogateGradient
from picojoule.activation.transforms import suited


@runtime_checkable
class SpikeFunction(Protocol):
    """Anything with ``apply(v_mem, spike_threshold, surrogate) -> spikes``."""

    apply: ClassVar[Any]


class _Fire(torch.autograd.Function):
    """spikes = count(v_mem, threshold), with d spikes / d v_mem := surrogate(v_mem, threshold).

    The threshold gets no gradient through the spike, as in sinabs: a trainable threshold learns
    through the reset.
    """

    @staticmethod
    def forward(
        ctx: Any,
        v_mem: Tensor,
        spike_threshold: Tensor | float,
        surrogate: SurrogateGradient,
        spike_function: BuiltinSpike,
    ) -> Tensor:
        # spikes that a loss does not use have no gradient, not zeros
        ctx.set_materialize_grads(False)
        ctx.surrogate = surrogate
        ctx.threshold_is_tensor = isinstance(spike_threshold, Tensor)
        if ctx.threshold_is_tensor:
            ctx.save_for_backward(v_mem, spike_threshold)
        else:
            ctx.save_for_backward(v_mem)
            ctx.spike_threshold = spike_threshold
        return spike_function.count(v_mem, spike_threshold)

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor | None) -> tuple[Tensor | None, None, None, None]:
        if grad_spikes is None:
            return None, None, None, None
        saved = ctx.saved_tensors  # asked for once: torch.utils.checkpoint hands it out once
        v_mem, threshold = saved if ctx.threshold_is_tensor else (*saved, ctx.spike_threshold)
        return grad_spikes * ctx.surrogate(v_mem, threshold), None, None, None


class _TransformedFire(torch.autograd.Function):
    """:class:`_Fire` for forward mode and the transforms of torch.func, with the same slopes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        v_mem: Tensor,
        spike_threshold: Tensor | float,
        surrogate: SurrogateGradient,
        spike_function: BuiltinSpike,
    ) -> Tensor:
        return spike_function.count(v_mem, spike_threshold)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        v_mem, threshold, ctx.surrogate, _ = inputs
        ctx.threshold_is_tensor = isinstance(threshold, Tensor)
        if not ctx.threshold_is_tensor:
            ctx.spike_threshold = threshold
        kept = (v_mem, threshold) if ctx.threshold_is_tensor else (v_mem,)
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)

    backward = _Fire.backward

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor | None, *_: Any) -> Tensor:
        v_mem, *threshold = ctx.saved_tensors
        if tangent is None:  # of the threshold alone
            return torch.zeros_like(v_mem)
        (threshold,) = threshold or (ctx.spike_threshold,)
        slope: Tensor = ctx.surrogate(v_mem, threshold)
        return tangent * slope


class _ApplyOnClassOrInstance:
    """``Spike.apply`` means ``Spike().apply``."""

    def __get__(self, instance: BuiltinSpike | None, owner: type[BuiltinSpike]) -> Any:
        return partial(_apply, owner() if instance is None else instance)


def _apply(
    spike_function: BuiltinSpike,
    v_mem: Tensor,
    spike_threshold: Tensor | float,
    surrogate: SurrogateGradient,
) -> Tensor:
    fire = suited(_Fire, _TransformedFire)
    return fire.apply(v_mem, spike_threshold, surrogate, spike_function)  # type: ignore[no-any-return, no-untyped-call]


@dataclass(frozen=True)
class BuiltinSpike:
    """Base of the spike functions that come with the library."""

    required_states: ClassVar[list[str]] = ["v_mem"]
    apply: ClassVar[Any] = _ApplyOnClassOrInstance()

    def count(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        """Number of spikes at each potential, in the dtype of ``v_mem``."""
        raise NotImplementedError


@dataclass(frozen=True)
class SingleSpike(BuiltinSpike):
    """At most one spike a step.

        spikes = 1 where v_mem >= threshold, else 0

    Example:
        >>> from picojoule.activation import SingleExponential
        >>> SingleSpike.apply(torch.tensor([0.9, 1.0, 2.5]), 1.0, SingleExponential())
        tensor([0., 1., 1.])
    """

    def count(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        return (v_mem >= spike_threshold).to(v_mem.dtype)


@dataclass(frozen=True)
class MultiSpike(BuiltinSpike):
    """As many spikes a step as the threshold fits into the potential.

        spikes = max(floor(v_mem / threshold), 0)

    Example:
        >>> from picojoule.activation import SingleExponential
        >>> MultiSpike.apply(torch.tensor([-1.5, 0.9, 1.0, 2.5]), 1.0, SingleExponential())
        tensor([0., 0., 1., 2.])
    """

    def count(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        return (v_mem / spike_threshold).floor().clamp(min=0)


@dataclass(frozen=True)
class MaxSpike(BuiltinSpike):
    """As many spikes a step as the threshold fits into the potential, up to a limit.

        spikes = min(max(floor(v_mem / threshold), 0), max_num_spikes_per_bin)

    Args:
        max_num_spikes_per_bin: the limit; None for no limit.

    Example:
        >>> from picojoule.activation import SingleExponential
        >>> MaxSpike(2).apply(torch.tensor([0.9, 1.0, 7.5]), 1.0, SingleExponential())
        tensor([0., 1., 2.])
    """

    max_num_spikes_per_bin: int | None = None

    def count(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        return (v_mem / spike_threshold).floor().clamp(min=0, max=self.max_num_spikes_per_bin)


_BUILT_IN = (SingleSpike, MultiSpike, MaxSpike)


def fired(
    spike: SpikeFunction | type[SpikeFunction],
    v_mem: Tensor,
    spike_threshold: Tensor | float,
    surrogate: SurrogateGradient,
) -> Tensor:
    """`spike.apply(v_mem, spike_threshold, surrogate)`, which torch.compile cannot follow before PyTorch 2.13.

    Example:
        >>> from picojoule.activation import SingleExponential
        >>> fired(MultiSpike, torch.tensor([0.9, 2.5]), 1.0, SingleExponential())
        tensor([0., 2.])
    """
    made = spike() if isinstance(spike, type) and spike in _BUILT_IN else spike
    if isinstance(made, BuiltinSpike) and type(made) in _BUILT_IN:
        return _apply(made, v_mem, spike_threshold, surrogate)
    spikes: Tensor = made.apply(v_mem, spike_threshold, surrogate)
    return spikes
