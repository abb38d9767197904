"""Max pooling of spikes: the input that has spiked most so far speaks for its window."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from picojoule.layers.squeeze import SqueezeMixin
from picojoule.layers.stateful_layer import StatefulLayer


class SpikingMaxPooling2dLayer(StatefulLayer):
    """Max pooling whose winner is the input with the most spikes so far.

        n[t] = n[t-1] + x[t]                        spikes of each input up to now
        y[t] = max of x[t] in the window            if an input that spikes at t has the window's
                                                    highest n[t]; else 0
        y[t] = max of n[t] - max of n[t-1]          with `exact`

    Input `b t c h w`, output `b t c h' w'`; an input `t c h w` is one sample, as in sinabs. The
    counts `n` are kept for each sample in `spike_count`, `b c h w`, until they are reset, so that
    two halves of a sequence give what the whole gives. (sinabs starts anew at every call and counts
    on from one sample of a folded batch to the next; for a folded batch take
    :class:`SpikingMaxPooling2dLayerSqueeze`.) Gradients flow through the maximum, not the counts.

    Inputs that are level speak in turn, so that of k equal rates the output has the sum. With `exact` the
    output has fired as often as the foremost input, at any time: its rate is the largest rate, also where
    currents of either sign are pooled. Gradients then flow through the counts.

    Args:
        pool_size: window, (height, width) or one number for both.
        strides: step between windows, (vertical, horizontal); the window's size if omitted.
        padding: zeros around the input, (left, right, top, bottom).
        exact: give the rise of the window's highest count.

    Raises:
        TypeError: from the forward pass, if the input is not floating point.
        ValueError: a number is out of its range, the input's axes are not those above, or no window
            fits into it.

    Example:
        >>> layer = SpikingMaxPooling2dLayer(pool_size=(1, 2))
        >>> spikes = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> layer(spikes.reshape(1, 4, 1, 1, 2)).flatten()  # the right input wins once it is level
        tensor([1., 1., 0., 1.])
        >>> exact = SpikingMaxPooling2dLayer(pool_size=(1, 2), exact=True)
        >>> exact(spikes.reshape(1, 4, 1, 1, 2)).flatten()
        tensor([1., 1., 0., 0.])
    """

    spike_count: Tensor
    exact = False  # of layers that were pickled without it

    def __init__(
        self,
        pool_size: Sequence[int] | int,
        strides: Sequence[int] | int | None = None,
        padding: Sequence[int] = (0, 0, 0, 0),
        exact: bool = False,
    ) -> None:
        super().__init__(["spike_count"])
        self.exact = exact
        self.pool_size = _pair(pool_size)
        self.strides = self.pool_size if strides is None else _pair(strides)
        self.padding = tuple(int(n) for n in padding)
        good_padding = len(self.padding) == 4 and min(self.padding) >= 0
        if min(*self.pool_size, *self.strides) < 1 or not good_padding:
            raise ValueError(
                f"{type(self).__name__}: pool_size is {pool_size}, strides {strides} and padding "
                f"{padding}; expected sizes >= 1 and four paddings >= 0 (left, right, top, bottom)."
            )

    def forward(self, data: Tensor) -> Tensor:
        """Spikes `b t c h' w'` for spikes `b t c h w`, or `t c h' w'` for `t c h w`."""
        self._check(data)
        batched = data if data.ndim == 5 else data.unsqueeze(0)
        states = self._carried_states((batched.shape[0], *batched.shape[2:]))
        given = batched if self.exact else batched.detach()
        counted = given.to(torch.promote_types(data.dtype, torch.float32))
        count, total = counted.cumsum(1), counted.sum(1)
        before = torch.zeros_like(total) if states is None else states["spike_count"].to(counted)
        count, total = count + before.unsqueeze(1), total + before
        if self.exact:
            pooled = self._rises(before, count).to(data.dtype)
        else:
            wins = self._pool(count * (batched > 0)) >= self._pool(count)
            pooled = self._pool(batched) * wins
        output = self._commit(pooled, {"spike_count": total}, {})
        return output if data.ndim == 5 else output.squeeze(0)

    def _rises(self, before: Tensor, count: Tensor) -> Tensor:
        lowest = torch.finfo(count.dtype).min
        return self._pool(torch.cat([before.unsqueeze(1), count], 1), lowest).diff(dim=1)

    def get_output_shape(self, input_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape `*n h' w'` of the output for an input `*n h w`, such as (channels, height, width)."""
        *others, height, width = (int(n) for n in input_shape)
        left, right, top, bottom = self.padding
        size = (height + top + bottom, width + left + right)
        windows = tuple(
            (n - k) // step + 1
            for n, k, step in zip(size, self.pool_size, self.strides, strict=True)
        )
        if min(windows) < 1:
            raise ValueError(
                f"{type(self).__name__}: no window of {self.pool_size} fits into an input of shape "
                f"{tuple(input_shape)} with padding {self.padding} (left, right, top, bottom)."
            )
        return (*others, *windows)

    def _pool(self, data: Tensor, beyond: float = 0.0) -> Tensor:
        flat = data.flatten(0, 1)
        padded = F.pad(flat, self.padding, value=beyond) if any(self.padding) else flat
        pooled = F.max_pool2d(padded, self.pool_size, self.strides)
        return pooled.reshape(*data.shape[:2], *pooled.shape[1:])

    def _check(self, data: Tensor) -> None:
        if not data.is_floating_point():
            raise TypeError(
                f"{type(self).__name__}: the input is {data.dtype}, expected a floating point tensor. "
                "Call .float() on it."
            )
        if data.ndim not in (4, 5):
            raise ValueError(
                f"{type(self).__name__}: the input has shape {tuple(data.shape)}, expected (batch, time, "
                "channel, height, width), or (time, channel, height, width) of one sample."
            )
        self.get_output_shape(data.shape)

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        exact = ", exact=True" if self.exact else ""
        return f"pool_size={self.pool_size}, strides={self.strides}, padding={self.padding}{exact}"


class SpikingMaxPooling2dLayerSqueeze(SqueezeMixin, SpikingMaxPooling2dLayer):
    """:class:`SpikingMaxPooling2dLayer` with batch and time in one axis, `(b t) c h w`.

    Args:
        batch_size: number of samples; the time steps follow from the input.
        num_timesteps: number of time steps; the samples follow from the input.
        **kwargs: as :class:`SpikingMaxPooling2dLayer`.

    Example:
        >>> layer = SpikingMaxPooling2dLayerSqueeze(batch_size=2, pool_size=2)
        >>> layer(torch.ones(2 * 10, 1, 4, 4)).shape, layer.spike_count.shape
        (torch.Size([20, 1, 2, 2]), torch.Size([2, 1, 4, 4]))
    """


def _pair(size: Sequence[int] | int) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
