"""Integrate-and-fire: LIF without a leak."""

from __future__ import annotations

from collections.abc import Sequence

from picojoule.activation import (
    MembraneSubtract,
    MultiSpike,
    ResetFunction,
    SingleExponential,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.layers.lif import LIF
from picojoule.layers.neuron import Value
from picojoule.layers.squeeze import SqueezeMixin


class IAF(LIF):
    """Integrate-and-fire neurons: :class:`LIF` whose potential does not leak.

    Input and output have shape `b t *n`; the arguments are those of :class:`LIF`.

    Example:
        >>> import torch
        >>> IAF()(torch.full((1, 4, 1), 0.5)).flatten()
        tensor([0., 1., 0., 1.])
    """

    def __init__(
        self,
        spike_threshold: Value = 1.0,
        spike_fn: SpikeFunction | type[SpikeFunction] | None = MultiSpike,
        reset_fn: ResetFunction = MembraneSubtract(),  # noqa: B008  (frozen, holds nothing)
        surrogate_grad_fn: SurrogateGradient = SingleExponential(),  # noqa: B008
        tau_syn: Value | None = None,
        min_v_mem: Value | None = None,
        shape: Sequence[int] | None = None,
        record_states: bool = False,
    ) -> None:
        super().__init__(
            tau_mem=None,
            tau_syn=tau_syn,
            spike_threshold=spike_threshold,
            spike_fn=spike_fn,
            reset_fn=reset_fn,
            surrogate_grad_fn=surrogate_grad_fn,
            min_v_mem=min_v_mem,
            shape=shape,
            norm_input=False,
            record_states=record_states,
        )


class IAFSqueeze(SqueezeMixin, IAF):
    """:class:`IAF` whose input and output have batch and time in one axis, `(b t) *n`.

    Args:
        batch_size: number of samples; the time steps follow from the input.
        num_timesteps: number of time steps; the samples follow from the input.
        **kwargs: as :class:`IAF`.

    Example:
        >>> import torch
        >>> layer = IAFSqueeze(batch_size=2)
        >>> layer(torch.ones(2 * 10, 3)).shape, layer.v_mem.shape
        (torch.Size([20, 3]), torch.Size([2, 3]))
    """
