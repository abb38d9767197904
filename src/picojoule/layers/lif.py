"""Leaky integrate-and-fire as a module: parameters and state; the arithmetic is in `picojoule.ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.activation import (
    MembraneSubtract,
    MultiSpike,
    ResetFunction,
    SingleExponential,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.layers.squeeze import SqueezeMixin
from picojoule.layers.stateful_layer import StatefulLayer
from picojoule.ops import LIFState, lif

Value = Tensor | float


class LIF(StatefulLayer):
    """Leaky integrate-and-fire neurons, optionally with an exponential synaptic current.

    The recurrence is that of :func:`picojoule.ops.lif` with `alpha = exp(-1 / tau)`. Input and
    output have shape `b t *n`; the state stays between calls until it is reset.

    Args:
        tau_mem: membrane time constant in time steps, > 0; a scalar or any shape that broadcasts
            over `*n`. Trainable. None for no leak.
        tau_syn: synaptic time constant in time steps, > 0; None for none. Trainable.
        spike_threshold: potential at which a neuron fires, > 0. Not trained unless you ask for its
            gradient. None where nothing fires.
        spike_fn: spike function, a class or an instance.
        reset_fn: what a spike does to the potential.
        surrogate_grad_fn: slope of the spike function in the backward pass.
        min_v_mem: lower bound of the potential.
        train_alphas: make `alpha_mem` and `alpha_syn` the parameters in place of the taus.
        shape: shape of the state, `b *n`, to have it before the first forward.
        norm_input: scale the input by `1 - alpha_mem`.
        record_states: keep the state after each step in `recordings`, `b t *n` by state name.

    Raises:
        ValueError: a time constant or threshold is not > 0.

    Example:
        >>> layer = LIF(tau_mem=20.0)
        >>> spikes = layer(torch.ones(2, 100, 3))
        >>> spikes.shape, layer.v_mem.shape
        (torch.Size([2, 100, 3]), torch.Size([2, 3]))
    """

    v_mem: Tensor
    i_syn: Tensor | None
    tau_mem: nn.Parameter | None
    tau_syn: nn.Parameter | None
    alpha_mem: nn.Parameter | None
    alpha_syn: nn.Parameter | None
    spike_threshold: nn.Parameter | None
    min_v_mem: nn.Parameter | None

    def __init__(
        self,
        tau_mem: Value | None,
        tau_syn: Value | None = None,
        spike_threshold: Value | None = 1.0,
        spike_fn: SpikeFunction | type[SpikeFunction] | None = MultiSpike,
        reset_fn: ResetFunction = MembraneSubtract(),  # noqa: B008  (frozen, holds nothing)
        surrogate_grad_fn: SurrogateGradient = SingleExponential(),  # noqa: B008
        min_v_mem: Value | None = None,
        train_alphas: bool = False,
        shape: Sequence[int] | None = None,
        norm_input: bool = True,
        record_states: bool = False,
    ) -> None:
        super().__init__(["v_mem"] if tau_syn is None else ["v_mem", "i_syn"])
        if tau_syn is None:
            self.i_syn = None
        for name, tau in (("mem", tau_mem), ("syn", tau_syn)):
            self._add_time_constant(name, tau, train_alphas)
        self.min_v_mem = None if min_v_mem is None else _own(min_v_mem, trained=False)
        self.spike_threshold = (
            None if spike_threshold is None else _own(spike_threshold, trained=False)
        )
        self.spike_fn = spike_fn
        self.reset_fn = reset_fn
        self.surrogate_grad_fn = surrogate_grad_fn
        self.train_alphas = train_alphas
        self.norm_input = norm_input
        self.record_states = record_states
        self.check_parameters()
        if shape is not None:
            self.init_state_with_shape(shape)

    def _add_time_constant(self, name: str, tau: Value | None, as_alpha: bool) -> None:
        parameters: dict[str, nn.Parameter | None] = {f"tau_{name}": None, f"alpha_{name}": None}
        if tau is not None:
            own = _own(tau, trained=True)
            _raise_if(_out_of_range(f"tau_{name}", own), type(self).__name__)
            if as_alpha:
                parameters[f"alpha_{name}"] = nn.Parameter(torch.exp(-1 / own.detach()))
            else:
                parameters[f"tau_{name}"] = own
        for key, parameter in parameters.items():
            self.register_parameter(key, parameter)

    @property
    def does_spike(self) -> bool:
        """Whether the output is spikes."""
        return self.spike_fn is not None

    @property
    def alpha_mem_calculated(self) -> Tensor | float:
        """Share of the potential that a step keeps."""
        alpha = _alpha(self.tau_mem, self.alpha_mem)
        return 1.0 if alpha is None else alpha

    @property
    def alpha_syn_calculated(self) -> Tensor | None:
        """Share of the synaptic current that a step keeps; None without one."""
        return _alpha(self.tau_syn, self.alpha_syn)

    @property
    def tau_mem_calculated(self) -> Tensor | None:
        """Membrane time constant in steps; None where nothing leaks."""
        return _tau(self.tau_mem, self.alpha_mem)

    @property
    def tau_syn_calculated(self) -> Tensor | None:
        """Synaptic time constant in steps; None without a synaptic current."""
        return _tau(self.tau_syn, self.alpha_syn)

    def check_parameters(self) -> None:
        """Raise ValueError if a time constant, share or threshold is out of its range."""
        for name, parameter in self.named_parameters(recurse=False):
            _raise_if(_out_of_range(name, parameter), type(self).__name__)

    def forward(self, data: Tensor) -> Tensor:
        """Spikes for the input current `data`, `b t *n`."""
        states = self._carried_states((data.shape[0], *data.shape[2:])) if data.ndim > 1 else None
        output, end, recordings = lif(
            data,
            None if states is None else LIFState(**states),
            alpha_mem=self.alpha_mem_calculated,
            alpha_syn=self.alpha_syn_calculated,
            threshold=1.0 if self.spike_threshold is None else self.spike_threshold,
            norm_input=self.norm_input,
            min_v_mem=self.min_v_mem,
            spike=self.spike_fn,
            reset=self.reset_fn,
            surrogate=self.surrogate_grad_fn,
            record=self.record_states,
        )
        ends = {name: value for name, value in end._asdict().items() if value is not None}
        return self._commit(output, ends, recordings)

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
        saved = {name: state_dict.get(prefix + name) for name in self._parameters}
        faults = [_out_of_range(name, x) for name, x in saved.items() if isinstance(x, Tensor)]
        if any(faults):
            error_msgs.extend(f"{prefix}{fault}" for fault in faults if fault)
            return
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        shown = [f"{name}={_brief(p)}" for name, p in self.named_parameters(recurse=False)]
        if self.norm_input:
            shown.append("norm_input=True")
        return ", ".join(shown)


class LIFSqueeze(SqueezeMixin, LIF):
    """:class:`LIF` whose input and output have batch and time in one axis, `(b t) *n`.

    Args:
        batch_size: number of samples; the time steps follow from the input.
        num_timesteps: number of time steps; the samples follow from the input.
        **kwargs: as :class:`LIF`.

    Example:
        >>> layer = LIFSqueeze(batch_size=2, tau_mem=20.0)
        >>> layer(torch.ones(2 * 100, 3)).shape, layer.v_mem.shape
        (torch.Size([200, 3]), torch.Size([2, 3]))
    """


def _own(value: Value, trained: bool) -> nn.Parameter:
    """A parameter that shares no memory with what the caller holds."""
    own = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
    return nn.Parameter(own, requires_grad=trained)


def _alpha(tau: Tensor | None, alpha: Tensor | None) -> Tensor | None:
    if alpha is not None or tau is None:
        return alpha
    return torch.exp(-1 / tau.to(torch.promote_types(tau.dtype, torch.float32)))


def _tau(tau: Tensor | None, alpha: Tensor | None) -> Tensor | None:
    return -1 / alpha.log() if alpha is not None else tau


def _out_of_range(name: str, value: Tensor) -> str | None:
    """What is wrong with a parameter's value, if anything."""
    if name.startswith("alpha"):
        good, expected = (value > 0) & (value <= 1), f"0 < {name} <= 1"
    elif name.startswith("tau") or name == "spike_threshold":
        good, expected = value > 0, f"{name} > 0"
    else:
        return None
    return None if bool(good.all()) else f"{name} is {_brief(value)}, expected {expected}."


def _raise_if(fault: str | None, owner: str) -> None:
    if fault is not None:
        raise ValueError(f"{owner}: {fault}")


def _brief(value: Tensor) -> str:
    if value.numel() == 1:
        return f"{value.item():.4g}"
    return f"{tuple(value.shape)} in [{value.min().item():.4g}, {value.max().item():.4g}]"
