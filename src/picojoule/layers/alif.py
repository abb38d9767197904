"""Adaptive leaky integrate-and-fire as a module; the arithmetic is in `picojoule.ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.activation import (
    MembraneSubtract,
    ResetFunction,
    SingleExponential,
    SingleSpike,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.activation.parts import check_parts
from picojoule.layers.neuron import LeakyNeuron, Value, kept_share, raise_if
from picojoule.layers.squeeze import SqueezeMixin
from picojoule.ops import ALIFState, alif
from picojoule.ops.ranges import out_of_range


class ALIF(LeakyNeuron):
    """Leaky integrate-and-fire neurons whose threshold rises with their own spikes.

    The recurrence is that of :func:`picojoule.ops.alif` with `alpha = exp(-1 / tau)`. Input and
    output have shape `b t *n`; the state stays between calls until it is reset.

    Args:
        tau_mem: membrane time constant in time steps, > 0; a scalar or any shape that broadcasts
            over `*n`. Trainable.
        tau_adapt: time constant of the spike trace in time steps, > 0. Trainable.
        tau_syn: synaptic time constant in time steps, > 0; None for none. Trainable.
        adapt_scale: how far a trace of 1 raises the threshold.
        spike_threshold: threshold of a neuron at rest, > 0; kept as `b0`.
        spike_fn: spike function, a class or an instance.
        reset_fn: what a spike does to the potential.
        surrogate_grad_fn: slope of the spike function in the backward pass.
        min_v_mem: lower bound of the potential.
        shape: shape of the state, `b *n`, to have it before the first forward.
        train_alphas: make `alpha_*` the parameters in place of the taus.
        norm_input: scale what reaches the potential by `1 - alpha_mem`.
        record_states: keep the state after each step in `recordings`, `b t *n` by state name.

    The attribute `impl` names who computes it, "auto" unless it is set; see :func:`picojoule.ops.alif`.
    As in sinabs, `b0`, `adapt_scale` and `min_v_mem` are settings, not parts of the `state_dict`.

    Raises:
        ValueError: a time constant or threshold is not > 0.

    Example:
        >>> layer = ALIF(tau_mem=20.0, tau_adapt=10.0, norm_input=False)
        >>> layer(torch.ones(1, 6, 1)).detach().flatten()
        tensor([1., 0., 1., 1., 0., 1.])
        >>> layer.spike_threshold.item() > 1
        True
    """

    v_mem: Tensor
    b: Tensor
    i_syn: Tensor | None
    b0: Tensor
    adapt_scale: Tensor
    min_v_mem: Tensor | None
    tau_adapt: nn.Parameter | None
    alpha_adapt: nn.Parameter | None
    impl: str = "auto"

    def __init__(
        self,
        tau_mem: Value,
        tau_adapt: Value,
        tau_syn: Value | None = None,
        adapt_scale: Value = 1.8,
        spike_threshold: Value = 1.0,
        spike_fn: SpikeFunction | type[SpikeFunction] = SingleSpike,
        reset_fn: ResetFunction = MembraneSubtract(),  # noqa: B008  (frozen, holds nothing)
        surrogate_grad_fn: SurrogateGradient = SingleExponential(),  # noqa: B008
        min_v_mem: Value | None = None,
        shape: Sequence[int] | None = None,
        train_alphas: bool = False,
        norm_input: bool = True,
        record_states: bool = False,
    ) -> None:
        super().__init__(["v_mem", "b"] if tau_syn is None else ["v_mem", "b", "i_syn"])
        if tau_syn is None:
            self.i_syn = None
        for name, tau in (("mem", tau_mem), ("adapt", tau_adapt), ("syn", tau_syn)):
            self._add_time_constant(name, tau, train_alphas)
        for name, value in (("b0", spike_threshold), ("adapt_scale", adapt_scale)):
            self._add_setting(name, value)
        self._add_setting("min_v_mem", min_v_mem)
        check_parts(
            type(self).__name__,
            may_be_silent=False,
            spike_fn=spike_fn,
            reset_fn=reset_fn,
            surrogate_grad_fn=surrogate_grad_fn,
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

    def _add_setting(self, name: str, value: Value | None) -> None:
        if value is None:
            # not a buffer of None: torch.export counts those and writes states to wrong places
            setattr(self, name, None)
        else:
            own = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
            self.register_buffer(name, own, persistent=False)

    @property
    def does_spike(self) -> bool:
        """Whether the output is spikes."""
        return True

    @property
    def spike_threshold(self) -> Tensor:
        """The threshold that the next step starts from, `b *n`; that of rest, as it was given, after a reset."""
        return self.b0 + self.adapt_scale * self.b if self.is_state_initialised() else self.b0

    @property
    def alpha_adapt_calculated(self) -> Tensor:
        """Share of the spike trace that a step keeps."""
        alpha = kept_share(self.tau_adapt, self.alpha_adapt)
        assert alpha is not None
        return alpha

    def _argument(self, name: str) -> Any:
        return super()._argument("b0" if name == "spike_threshold" else name)

    def check_parameters(self) -> None:
        """Raise ValueError if a time constant, share, threshold or bound is out of its range."""
        super().check_parameters()
        settings = {"spike_threshold": self.b0, "adapt_scale": self.adapt_scale}
        if self.min_v_mem is not None:
            settings["min_v_mem"] = self.min_v_mem
        for name, value in settings.items():
            raise_if(out_of_range(name, value), type(self).__name__)

    def forward(self, data: Tensor) -> Tensor:
        """Spikes for the input current `data`, `b t *n`."""
        states = self._carried_states((data.shape[0], *data.shape[2:])) if data.ndim > 1 else None
        made = alif(
            data,
            None if states is None else ALIFState(**states),
            alpha_mem=self.alpha_mem_calculated,
            alpha_adapt=self.alpha_adapt_calculated,
            alpha_syn=self.alpha_syn_calculated,
            adapt_scale=self.adapt_scale,
            threshold=self.b0,
            norm_input=self.norm_input,
            min_v_mem=self.min_v_mem,
            spike=self.spike_fn,
            reset=self.reset_fn,
            surrogate=self.surrogate_grad_fn,
            connect=self._modules.get("rec_connect"),
            record=self.record_states,
            impl=self.impl,
            check_values=False,
        )
        if made.recordings:  # a state for sinabs; here it follows from b
            made.recordings["spike_threshold"] = self.b0 + self.adapt_scale * made.recordings["b"]
        ends = {name: value for name, value in made.state._asdict().items() if value is not None}
        return self._commit(made.spikes, ends, made.recordings, made.sums)

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
        # sinabs keeps the adapted threshold in the state_dict; here it follows from b
        without = {k: v for k, v in state_dict.items() if k != f"{prefix}spike_threshold"}
        super()._load_from_state_dict(
            without, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class ALIFSqueeze(SqueezeMixin, ALIF):
    """:class:`ALIF` whose input and output have batch and time in one axis, `(b t) *n`.

    Args:
        batch_size: number of samples; the time steps follow from the input.
        num_timesteps: number of time steps; the samples follow from the input.
        **kwargs: as :class:`ALIF`.
    """
