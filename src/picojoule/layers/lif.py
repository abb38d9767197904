"""Leaky integrate-and-fire as a module: parameters and state; the arithmetic is in `picojoule.ops`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from picojoule.activation import (
    MembraneSubtract,
    MultiSpike,
    ResetFunction,
    SingleExponential,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.activation.parts import check_parts
from picojoule.layers.neuron import LeakyNeuron, Value, own_parameter
from picojoule.layers.squeeze import SqueezeMixin
from picojoule.ops import LIFState, lif


class LIF(LeakyNeuron):
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
        norm_input: scale the input by `1 - alpha_mem`, about `1 / tau_mem`, as sinabs does. A neuron then fires only
            if its mean input reaches the threshold: behind a layer with PyTorch's first weights it may stay silent.
            False takes the input as it is.
        record_states: keep the state after each step in `recordings`, `b t *n` by state name.

    The attribute `impl` names who computes it, "auto" unless it is set; see :func:`picojoule.ops.lif`.

    Raises:
        ValueError: a time constant or threshold is not > 0.

    Example:
        >>> import torch
        >>> layer = LIF(tau_mem=20.0)
        >>> spikes = layer(torch.ones(2, 100, 3))
        >>> spikes.shape, layer.v_mem.shape
        (torch.Size([2, 100, 3]), torch.Size([2, 3]))
    """

    v_mem: Tensor
    i_syn: Tensor | None
    spike_threshold: nn.Parameter | None
    min_v_mem: nn.Parameter | None
    impl: str = "auto"

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
        self.min_v_mem = None if min_v_mem is None else own_parameter(min_v_mem, trained=False)
        self.spike_threshold = (
            None if spike_threshold is None else own_parameter(spike_threshold, trained=False)
        )
        check_parts(
            type(self).__name__,
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

    @property
    def does_spike(self) -> bool:
        """Whether the output is spikes."""
        return self.spike_fn is not None

    def forward(self, data: Tensor) -> Tensor:
        """Spikes for the input current `data`, `b t *n`."""
        states = self._carried_states((data.shape[0], *data.shape[2:])) if data.ndim > 1 else None
        made = lif(
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
            connect=self._modules.get("rec_connect"),
            record=self.record_states,
            impl=self.impl,
            check_values=False,
        )
        ends = {name: value for name, value in made.state._asdict().items() if value is not None}
        return self._commit(made.spikes, ends, made.recordings, made.sums)


class LIFSqueeze(SqueezeMixin, LIF):
    """:class:`LIF` whose input and output have batch and time in one axis, `(b t) *n`.

    Args:
        batch_size: number of samples; the time steps follow from the input.
        num_timesteps: number of time steps; the samples follow from the input.
        **kwargs: as :class:`LIF`.

    Example:
        >>> import torch
        >>> layer = LIFSqueeze(batch_size=2, tau_mem=20.0)
        >>> layer(torch.ones(2 * 100, 3)).shape, layer.v_mem.shape
        (torch.Size([200, 3]), torch.Size([2, 3]))
    """
