"""The same spikes over another number of time steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def retimed(
    data: Tensor, num_timesteps: int, generator: torch.Generator | None = None, *, whole: bool
) -> Tensor:
    """What comes in T time steps, `b t *n`, over another number S of them, `b s *n`.

        share[i, j] = part of step i that lies in step j, where both divide the same time
        out[j] = sum over i of share[i, j] * data[i]

    The shares of a step add up to 1, so all that comes stays, and the sum over time is the same. Spikes stay whole:
    of those of one step in several new ones each step gets its share, rounded up or down at random, so that the mean
    is the formula. Gradients are the formula's.

    Args:
        data: `b t *n`.
        num_timesteps: S.
        generator: of the random numbers, on the device of `data`; PyTorch's if omitted.
        whole: whether these are spikes, whole numbers.

    Example:
        >>> spikes = torch.tensor([[[1.0], [0.0], [2.0], [4.0]]])
        >>> retimed(spikes, 2, whole=True).flatten()
        tensor([1., 6.])
        >>> retimed(spikes, 8, whole=True).reshape(4, 2).sum(1), retimed(spikes, 8, whole=True)[0, 6:].flatten()
        (tensor([1., 0., 2., 4.]), tensor([2., 2.]))
        >>> retimed(spikes, 8, whole=False).flatten()
        tensor([0.5000, 0.5000, 0.0000, 0.0000, 1.0000, 1.0000, 2.0000, 2.0000])

    Source: the soft transformation between stages in the code of Du et al., "Temporal Flexibility in Spiking Neural
    Networks", ICLR 2025, arXiv:2503.17394; the rounding is ours (docs/adr/0038).
    """
    if num_timesteps == data.shape[1]:
        return data
    random = None
    if whole and num_timesteps > 1:
        random = torch.rand(data.shape, generator=generator, device=data.device)
    return _Retimed.apply(data, num_timesteps, random)  # type: ignore[no-any-return, no-untyped-call]


class Retime(nn.Module):
    """:func:`retimed` as a module, by which a Monitor sees that spikes stay spikes.

    Args:
        num_timesteps: of the output.
        generator: of the random numbers.
        whole: whether these are spikes.
    """

    def __init__(
        self, num_timesteps: int, generator: torch.Generator | None = None, *, whole: bool
    ) -> None:
        super().__init__()
        self.num_timesteps, self.generator, self.whole = num_timesteps, generator, whole

    def forward(self, data: Tensor) -> Tensor:
        """`data`, `b t *n`, over `num_timesteps`."""
        return retimed(data, self.num_timesteps, self.generator, whole=self.whole)


def shares(steps: int, others: int) -> Tensor:
    """What part of each of some steps lies in each of others that divide the same time: `t s`.

    Example:
        >>> shares(2, 3)
        tensor([[0.6667, 0.3333, 0.0000],
                [0.0000, 0.3333, 0.6667]])
    """
    edges = torch.arange(steps + 1, dtype=torch.float64) / steps
    new = torch.arange(others + 1, dtype=torch.float64) / others
    ends = torch.minimum(edges[1:, None], new[None, 1:])
    starts = torch.maximum(edges[:-1, None], new[None, :-1])
    return ((ends - starts).clamp(min=0) * steps).float()


class _Retimed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, data: Tensor, num_timesteps: int, random: Tensor | None) -> Tensor:
        ctx.steps = data.shape[1]
        if random is None:
            return _shared(data, shares(data.shape[1], num_timesteps))
        return _whole(data.float(), num_timesteps, random).to(data.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        return _shared(gradient, shares(ctx.steps, gradient.shape[1]).T), None, None


def _shared(data: Tensor, shares: Tensor) -> Tensor:
    flat = data.flatten(2) if data.ndim > 2 else data.unsqueeze(2)
    out = shares.T.to(data) @ flat
    return out.reshape(data.shape[0], shares.shape[1], *data.shape[2:])


def _whole(data: Tensor, num_timesteps: int, random: Tensor) -> Tensor:
    """What came up to the end of each new step, in differences; within a step of `data`, rounded."""
    steps = data.shape[1]
    ends = [j * steps for j in range(1, num_timesteps)]
    step = torch.tensor(
        [end // num_timesteps for end in ends], device=data.device, dtype=torch.long
    )
    part = torch.tensor([end % num_timesteps / num_timesteps for end in ends], device=data.device)
    part = part.view(-1, *[1] * (data.ndim - 2))
    total = data.cumsum(1)
    inside = torch.floor(data[:, step] * part + random[:, step])
    came = total[:, step] - data[:, step] + inside
    return torch.cat([came, total[:, -1:]], 1).diff(dim=1, prepend=torch.zeros_like(data[:, :1]))
