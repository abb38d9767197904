"""Muon for the matrices of a network and Adam for the rest, as one optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers import StatefulLayer
from picojoule.synops import CONVOLUTIONS
from picojoule.training.config_error import ConfigError

_SETTINGS = {"momentum": 0.95, "nesterov": True, "ns_steps": 5, "weight_decay": 0.0}
_KERNELS = (*CONVOLUTIONS, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# their 2-D parameters multiply nothing
_NO_PRODUCTS = (StatefulLayer, nn.Embedding, nn.EmbeddingBag)


class MuonAndAdam(torch.optim.Optimizer):
    """Matrices step by the orthogonal matrix nearest to their momentum, all other parameters by Adam.

        m <- 0.95 m + 0.05 g;   w <- w - rate * sqrt(max(1, rows / columns)) * orthogonal(0.95 m + 0.05 g)

    `torch.optim.Muon` and `torch.optim.Adam` do the work. Both keep their state here, under the parameters
    themselves, so that checkpoints, gradient scalers and hooks find one optimiser like any other.

    Args:
        orthogonal: matrices, `m n`, and kernels of convolutions, `m *k`, which count as matrices `m k`.
        rest: the other parameters.
        rate: learning rate of the matrices.
        rate_of_rest: of the rest.

    Raises:
        ConfigError: this PyTorch has no Muon.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    """

    def __init__(
        self,
        orthogonal: Sequence[nn.Parameter],
        rest: Sequence[nn.Parameter],
        rate: float,
        rate_of_rest: float,
    ) -> None:
        _check_there_is_muon()
        self._adam = torch.optim.Adam([{"params": list(rest)}], lr=rate_of_rest)
        matrices: dict[str, Any] = {"params": list(orthogonal), "lr": rate, **_SETTINGS}
        super().__init__([matrices, *self._adam.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step with the gradients there are, or with those that `closure` makes; what it returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        matrices, *rest = self.param_groups
        self._adam.state, self._adam.param_groups = self.state, rest
        self._adam.step()
        trained = {weight: weight.grad for weight in matrices["params"] if weight.grad is not None}
        if trained:
            self._muon_step(matrices, trained)
        return loss

    def _muon_step(self, group: dict[str, Any], gradients: dict[nn.Parameter, Tensor]) -> None:
        # made anew each time, as a model that moves takes other memory; it costs nothing beside the products
        flat = {weight: _as_matrix(weight) for weight in gradients}
        muon = torch.optim.Muon([{**group, "params": list(flat.values())}])
        for weight, matrix in flat.items():
            matrix.grad = _as_matrix(gradients[weight])
            muon.state[matrix] = self.state[weight]
        muon.step()  # type: ignore[no-untyped-call]  # by torch
        for weight, matrix in flat.items():
            if matrix.data_ptr() != weight.data_ptr():  # channels_last: the view was a copy
                weight.copy_(matrix.view_as(weight))


def _as_matrix(weight: Tensor) -> Tensor:
    return weight.detach().flatten(1)


def matrices(model: nn.Module, last: str | None = None) -> list[nn.Parameter]:
    """The parameters that are trained and multiply as matrices, in the model's order.

    Kernels of convolutions are among them. Thresholds and other parameters of neurons, embeddings, and
    matrices of one row or column are not, nor are those of the layer that answers.

    Args:
        model: any module.
        last: name of the layer that answers; None, or a name of no matrices, for that of the last matrix.

    Example:
        >>> found = matrices(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)))
        >>> [tuple(weight.shape) for weight in found]
        [(4, 1, 3, 3)]
    """
    found = list(_all_matrices(model))
    owners = [layer for layer, _ in found]
    answering = last if last in owners else owners[-1] if owners else None
    return [weight for layer, weight in found if layer != answering]


def _all_matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    seen: set[nn.Parameter] = set()
    for name, layer in model.named_modules():
        for weight in layer.parameters(recurse=False):
            if weight not in seen and _is_matrix(layer, weight):
                seen.add(weight)
                yield name, weight


def _is_matrix(layer: nn.Module, weight: nn.Parameter) -> bool:
    if isinstance(layer, _NO_PRODUCTS) or not weight.requires_grad:
        return False
    kernel = isinstance(layer, _KERNELS) and weight.ndim > 1
    return weight.is_floating_point() and (kernel or (weight.ndim == 2 and min(weight.shape) > 1))


def _check_there_is_muon() -> None:
    if not hasattr(torch.optim, "Muon"):
        raise ConfigError(
            f"training: optimizer is muon, which PyTorch {torch.__version__} does not have. Install PyTorch 2.9 or "
            "later, or choose adam.",
            "optimizer",
        )
