"""Neurons that hear their own spikes, through any module, one time step later."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers.alif import ALIF
from picojoule.layers.iaf import IAF
from picojoule.layers.lif import LIF
from picojoule.layers.neuron import LeakyNeuron, Value
from picojoule.layers.squeeze import SqueezeMixin


class RecurrentMixin(LeakyNeuron):
    """Adds the recurrent connection and its state to a neuron.

    x[t] = input[t] + rec_connect(spikes[t-1])

    At rest there is no feedback, not even the connection's bias. What the last step of a call feeds
    back is kept in `i_rec`, `b *n`, so that two halves of a sequence give what the whole gives.
    (sinabs drops the feedback at every call.)

    A connection that is a plain `nn.Linear` runs fused on the CPU and on a GPU, a matrix product and a kernel
    a step; any other module, or one with hooks, is called every step (docs/adr/0015).
    """

    v_mem: Tensor
    i_rec: Tensor

    def _connect(self, rec_connect: nn.Module) -> None:
        if not isinstance(rec_connect, nn.Module):
            raise TypeError(
                f"{type(self).__name__}: rec_connect is {type(rec_connect).__name__}, expected a module "
                "from spikes `b *n` to currents of that shape."
            )
        self.rec_connect = rec_connect
        self._state_names = (*self._state_names, "i_rec")
        self.i_rec = torch.zeros_like(self.v_mem)


class LIFRecurrent(RecurrentMixin, LIF):
    """:class:`LIF` with a recurrent connection; input and output `b t *n`.

    Args:
        tau_mem: membrane time constant in time steps.
        rec_connect: module from spikes `b *n` to the current they feed back, of that shape.
        *args, **kwargs: the other arguments of :class:`LIF`, from `tau_syn` on in its order; the
            synaptic current filters the feedback too.

    Example:
        >>> layer = LIFRecurrent(20.0, rec_connect=nn.Linear(3, 3))
        >>> layer(torch.ones(2, 10, 3)).shape
        torch.Size([2, 10, 3])
    """

    def __init__(self, tau_mem: Value, rec_connect: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(tau_mem, *args, **kwargs)
        self._connect(rec_connect)


class IAFRecurrent(RecurrentMixin, IAF):
    """:class:`IAF` with a recurrent connection; input and output `b t *n`.

    Args:
        rec_connect: module from spikes `b *n` to the current they feed back, of that shape.
        *args, **kwargs: the arguments of :class:`IAF`, in its order.
    """

    def __init__(self, rec_connect: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connect(rec_connect)


class ALIFRecurrent(RecurrentMixin, ALIF):
    """:class:`ALIF` with a recurrent connection; input and output `b t *n`.

    Args:
        tau_mem: membrane time constant in time steps.
        tau_adapt: time constant of the spike trace in time steps.
        rec_connect: module from spikes `b *n` to the current they feed back, of that shape.
        *args, **kwargs: the other arguments of :class:`ALIF`, from `tau_syn` on in its order.
    """

    def __init__(
        self,
        tau_mem: Value,
        tau_adapt: Value,
        rec_connect: nn.Module,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(tau_mem, tau_adapt, *args, **kwargs)
        self._connect(rec_connect)


class LIFRecurrentSqueeze(SqueezeMixin, LIFRecurrent):
    """:class:`LIFRecurrent` with batch and time in one axis, `(b t) *n`."""


class IAFRecurrentSqueeze(SqueezeMixin, IAFRecurrent):
    """:class:`IAFRecurrent` with batch and time in one axis, `(b t) *n`."""


class ALIFRecurrentSqueeze(SqueezeMixin, ALIFRecurrent):
    """:class:`ALIFRecurrent` with batch and time in one axis, `(b t) *n`."""
