"""The public function: check the call, choose an implementation, run it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from picojoule.activation import (
    MembraneSubtract,
    MultiSpike,
    ResetFunction,
    SingleExponential,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.ops.lif.reference import lif_reference
from picojoule.ops.lif.spec import LIFOutput, LIFSpec, LIFState

IMPLEMENTATIONS: dict[str, Callable[[Tensor, LIFState, LIFSpec], LIFOutput]] = {
    "reference": lif_reference,
}


def lif(
    current: Tensor,
    state: LIFState | None = None,
    *,
    alpha_mem: Tensor | float,
    alpha_syn: Tensor | float | None = None,
    threshold: Tensor | float = 1.0,
    norm_input: bool = False,
    min_v_mem: Tensor | float | None = None,
    spike: SpikeFunction | type[SpikeFunction] | None = MultiSpike(),  # noqa: B008  (frozen, holds nothing)
    reset: ResetFunction = MembraneSubtract(),  # noqa: B008
    surrogate: SurrogateGradient = SingleExponential(),  # noqa: B008
    record: bool = False,
    impl: str = "auto",
) -> LIFOutput:
    """Leaky integrate-and-fire over a sequence.

        i[t] = alpha_syn * (i[t-1] + current[t])     with alpha_syn, else i[t] = current[t]
        v[t] = alpha_mem * v[t-1] + i[t]             (1 - alpha_mem) * i[t] with norm_input
        s[t] = spike(v[t])                           a potential equal to the threshold fires
        v[t] = max(reset(v[t], s[t]), min_v_mem)

    Gradients flow through the reset; d s / d v is the surrogate. Half-precision input is computed
    in float32, and the state then is float32.

    Args:
        current: input current, `b t *n`, in the units of `threshold`.
        state: potential and synaptic current before the first step, `b *n` each; zeros if omitted.
        alpha_mem: share of the potential kept per step, 0 < alpha_mem <= 1; 1 is integrate-and-fire.
        alpha_syn: share of the synaptic current kept per step; None for no synaptic filter.
        threshold: potential at which a neuron fires, > 0.
        norm_input: scale the input by (1 - alpha_mem), so that a constant input is also the limit of v.
        min_v_mem: lower bound of the potential, applied after the reset.
        spike: spike function, a class or an instance; None never fires, and the potential before the bound is given out.
        reset: what a spike does to the potential.
        surrogate: slope of the spike function in the backward pass.
        record: also return the state after every step.
        impl: "auto" takes the fastest that can run this call; a named one never falls back.
            Today there is "reference".

    A tensor for alpha_mem, alpha_syn, threshold or min_v_mem broadcasts over `*n`.

    Returns:
        `spikes`, `b t *n`, counts; `state`, `b *n`, for the next call; `recordings`, `b t *n` by
        state name, empty unless `record`.

    Raises:
        TypeError: `current` is not a floating point tensor.
        ValueError: a shape does not fit, or a value is out of range; the message names both.

    Example:
        >>> out = lif(torch.full((1, 4, 1), 0.6), alpha_mem=1.0)
        >>> out.spikes.flatten()
        tensor([0., 1., 0., 1.])
        >>> out.state.v_mem
        tensor([[0.4000]])

    Source: Gerstner et al. 2014, Neuronal Dynamics, section 1.3; the order of operations is
    sinabs' (sinabs 3.1.3, layers/functional/lif.py), kept so that networks carry over.
    """
    _check_current(current)
    batch_and_neurons = (current.shape[0], *current.shape[2:])
    dtype = torch.promote_types(current.dtype, torch.float32)
    spec = LIFSpec(
        alpha_mem=_share("alpha_mem", alpha_mem, current, dtype),
        alpha_syn=None if alpha_syn is None else _share("alpha_syn", alpha_syn, current, dtype),
        threshold=_positive("threshold", threshold, current, dtype),
        norm_input=norm_input,
        min_v_mem=None if min_v_mem is None else _fitted("min_v_mem", min_v_mem, current, dtype),
        spike=spike,
        reset=reset,
        surrogate=surrogate,
        record=record,
    )
    start = _start(state, batch_and_neurons, with_i_syn=alpha_syn is not None, like=current)
    spikes, end, recordings = _implementation(impl)(current.to(dtype), start, spec)
    return LIFOutput(spikes.to(current.dtype), end, recordings)


def _implementation(impl: str) -> Callable[[Tensor, LIFState, LIFSpec], LIFOutput]:
    if impl == "auto":
        return lif_reference
    if impl not in IMPLEMENTATIONS:
        raise ValueError(
            f"lif: impl is {impl!r}; choose 'auto' or one of {sorted(IMPLEMENTATIONS)}."
        )
    return IMPLEMENTATIONS[impl]


def _check_current(current: Tensor) -> None:
    if not current.is_floating_point():
        raise TypeError(
            f"lif: the input current is {current.dtype}, expected a floating point tensor. "
            "Call .float() on it."
        )
    if current.ndim < 2:
        raise ValueError(
            f"lif: the input current has shape {tuple(current.shape)}, expected "
            "(batch, time, *neuron). Add the missing axes with unsqueeze."
        )


def _start(
    state: LIFState | None, shape: tuple[int, ...], *, with_i_syn: bool, like: Tensor
) -> LIFState:
    dtype = torch.promote_types(like.dtype, torch.float32)
    zeros = torch.zeros(shape, dtype=dtype, device=like.device)
    if state is None:
        return LIFState(zeros, zeros if with_i_syn else None)
    for name, value in state._asdict().items():
        if value is not None and tuple(value.shape) != shape:
            raise ValueError(
                f"lif: state {name} has shape {tuple(value.shape)}, but the input current of shape "
                f"{tuple(like.shape)} needs (batch, *neuron) = {shape}."
            )
    if not with_i_syn:
        return LIFState(state.v_mem.to(dtype), None)
    return LIFState(state.v_mem.to(dtype), zeros if state.i_syn is None else state.i_syn.to(dtype))


def _fitted(
    name: str, value: Tensor | float, current: Tensor, dtype: torch.dtype
) -> Tensor | float:
    """The value in the computing dtype, if it broadcasts over the neurons."""
    if not isinstance(value, Tensor):
        return float(value)
    neurons = tuple(current.shape[2:])
    aligned = list(zip(reversed(value.shape), reversed(neurons), strict=False))
    if value.ndim > len(neurons) or any(have not in (1, want) for have, want in aligned):
        raise ValueError(
            f"lif: {name} of shape {tuple(value.shape)} does not broadcast over the neurons, "
            f"{neurons} (input current {tuple(current.shape)})."
        )
    return value.to(dtype)


def _share(name: str, value: Tensor | float, current: Tensor, dtype: torch.dtype) -> Tensor | float:
    if not isinstance(value, Tensor) and not 0 < value <= 1:
        raise ValueError(f"lif: {name} is {value}, expected 0 < {name} <= 1.")
    return _fitted(name, value, current, dtype)


def _positive(
    name: str, value: Tensor | float, current: Tensor, dtype: torch.dtype
) -> Tensor | float:
    if not isinstance(value, Tensor) and not value > 0:
        raise ValueError(f"lif: {name} is {value}, expected {name} > 0.")
    return _fitted(name, value, current, dtype)
