"""Weights that have been pruned, which an optimiser leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

_PARAMETER, _MASK = "_orig", "_mask"  # as of torch.nn.utils.prune


def hold_pruned_weights(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Let no step move a weight that :mod:`torch.nn.utils.prune` has masked, nor keep moments of it.

    Weight decay, moments from before the mask and Muon's orthogonal matrices would move it. The network does not see
    that, as its weight is `weight_orig * weight_mask`; a checkpoint does, and a mask that grows back. Masks may come
    and change at any time between two steps.

    Args:
        optimizer: any of PyTorch's; it gets hooks.
        model: whose parameters it has.

    Example:
        >>> from torch.nn.utils import prune
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(layer.weight, 1.0)
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.5)
        >>> hold_pruned_weights(optimizer, layer)
        >>> _ = prune.custom_from_mask(layer, "weight", torch.tensor([[1.0, 0.0]]))
        >>> layer(torch.ones(1, 2)).sum().backward()
        >>> optimizer.step()
        >>> layer.weight_orig.detach()
        tensor([[0.8500, 1.0000]])
    """
    still = _Still(model)
    optimizer.register_step_pre_hook(still.before)
    optimizer.register_step_post_hook(still.after)


class _Still:
    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._before: list[tuple[nn.Parameter, Tensor, Tensor]] = []

    def before(self, optimizer: torch.optim.Optimizer, *arguments: Any) -> None:  # noqa: ARG002
        """Forget the moments of what a new mask has taken away, and remember the weights."""
        self._before = [(w, gone, w.detach().clone()) for w, gone in _masked(self._model)]
        self._clear_moments(optimizer)
        for weight, gone, _ in self._before:
            if weight.grad is not None:
                weight.grad.masked_fill_(gone, 0.0)

    @torch.no_grad()
    def after(self, optimizer: torch.optim.Optimizer, *arguments: Any) -> None:  # noqa: ARG002
        """Put back the weights that are taken away, and clear what the step has left of moments."""
        for weight, gone, value in self._before:
            weight.copy_(torch.where(gone, value, weight))
        self._clear_moments(optimizer)
        self._before = []

    def _clear_moments(self, optimizer: torch.optim.Optimizer) -> None:
        for weight, gone, _ in self._before:
            if weight not in optimizer.state:
                continue
            for moment in optimizer.state[weight].values():
                if isinstance(moment, Tensor) and moment.ndim and moment.numel() == gone.numel():
                    moment.masked_fill_(gone.reshape(moment.shape), 0.0)


def _masked(model: nn.Module) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """The parameters with a mask, and where that has taken weights away."""
    for layer in model.modules():
        for name, weight in layer.named_parameters(recurse=False):
            mask = getattr(layer, name.removesuffix(_PARAMETER) + _MASK, None)
            if name.endswith(_PARAMETER) and isinstance(mask, Tensor):
                yield weight, mask == 0
