"""A leaky integrator: LIF that never fires."""

from __future__ import annotations

from collections.abc import Sequence

from picojoule.layers.lif import LIF
from picojoule.layers.neuron import Value
from picojoule.layers.squeeze import SqueezeMixin


class ExpLeak(LIF):
    """Leaky integrators: the potential of :class:`LIF` as output, without spikes.

    Input and output have shape `b t *n`; the arguments are those of :class:`LIF`. The output is the
    potential before `min_v_mem` bounds it.

    Example:
        >>> import torch
        >>> ExpLeak(tau_mem=10.0)(torch.tensor([[[1.0], [0.0]]])).detach().flatten()
        tensor([1.0000, 0.9048])
    """

    def __init__(
        self,
        tau_mem: Value,
        shape: Sequence[int] | None = None,
        train_alphas: bool = False,
        min_v_mem: Value | None = None,
        norm_input: bool = False,
        record_states: bool = False,
    ) -> None:
        super().__init__(
            tau_mem=tau_mem,
            spike_threshold=None,
            spike_fn=None,
            min_v_mem=min_v_mem,
            train_alphas=train_alphas,
            shape=shape,
            norm_input=norm_input,
            record_states=record_states,
        )


class ExpLeakSqueeze(SqueezeMixin, ExpLeak):
    """:class:`ExpLeak` whose input and output have batch and time in one axis, `(b t) *n`.

    Args:
        batch_size: number of samples; the time steps follow from the input.
        num_timesteps: number of time steps; the samples follow from the input.
        **kwargs: as :class:`ExpLeak`.
    """
