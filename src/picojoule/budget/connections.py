"""Connections that are taken away on a schedule: the second means of a budget, beside the spikes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from picojoule.budget.channels import groups, slices, without_channels
from picojoule.budget.density import Kind, largest, left_of, share_left
from picojoule.budget.masks import (
    Masked,
    Prunable,
    check_plain,
    give_masks,
    mask_of,
    masked,
    original,
    take_out,
)
from picojoule.budget.names import check_names


class Connections:
    """Connections of some layers, taken away step by step until a share of them is left.

        share[k] = final + (1 - final) * (1 - f)^3;   f = min(k / (end * steps), 1)

    After training step k, every some steps, the largest go on. What has gone stays away, through training, copies and
    checkpoints: masks are those of :mod:`torch.nn.utils.prune`, in the model's `state_dict`.

    - "prune": single weights, those of the largest magnitude in each layer stay. Each output unit keeps at least one:
      without any it could neither fire nor learn.
    - "thin": whole output channels (of a linear layer, neurons), those of the largest L2 norm stay: their weights and
      bias, and what reads them (`feeds`), so that these neurons are gone.
    - "fixed": single weights, drawn before the first step and never changed.

    Make it before a forward pass or after its backward pass: "fixed" changes weights at once.

    Args:
        model: any module.
        layers: the share to end with, in (0, 1], by the name of an `nn.Linear` or `nn.Conv1d` to `nn.Conv3d`.
        kind: what is taken away.
        steps: training steps in all.
        every: steps from one change to the next.
        end: share of the steps after which nothing changes any more.
        seed: of "fixed", which leaves the global random state alone.
        feeds: for "thin", the layers that read the channels of a layer, next or behind poolings and flattening: linear
            layers, convolutions, and BatchNorms on the way. A layer of one channel a group (depthwise) passes them on,
            so name its readers, too.

    Raises:
        ValueError: a name, share or number is wrong, the weight of a layer is computed from others, channels of a
            grouped convolution are to be thinned, or what reads them does not fit.

    Example:
        >>> model = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 4))
        >>> connections = Connections(model, {"0": 0.1}, kind="prune", steps=100)
        >>> for _ in range(40):  # and the rest of a training step
        ...     _ = connections.step()
        >>> int((model[0].weight != 0).sum()), connections.densities
        (100, {'0': 0.1})

    Source: the cubic schedule is of Zhu and Gupta (arXiv 1710.01878); channels by their norm of Li et al.
    (arXiv 1608.08710, ICLR 2017), there the L1 norm.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Mapping[str, float],
        *,
        kind: Kind,
        steps: int,
        every: int = 20,
        end: float = 0.4,
        seed: int = 0,
        feeds: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        _check_numbers(kind, layers, steps, every, end)
        self.kind: Kind = kind
        self._model = model
        self._layers = _prunable(model, layers, kind)
        self._final = {name: float(layers[name]) for name in layers}
        check_names(feeds or {}, tuple(layers), "layer that loses connections", "Connections")
        self._slices = {
            name: slices(model, name, layer, (feeds or {}).get(name, ())) if kind == "thin" else ()
            for name, layer in self._layers.items()
        }
        self._last, self._every = max(1, round(end * steps)), every
        self._done = 0
        self._masked: list[Masked] = [(layer, "weight") for layer in self._layers.values()]
        for each in self._slices.values():
            self._masked += [parameter for part in each for parameter in part.parameters()]
        give_masks(self._masked)  # the keys of the `state_dict` are the same from the first step on
        if kind == "fixed":
            self._draw(torch.Generator().manual_seed(seed))

    @property
    def progress(self) -> float:
        """How far on the way down it is, 0 to 1."""
        return 1.0 if self.kind == "fixed" else min(self._done / self._last, 1.0)

    @property
    def densities(self) -> dict[str, float]:
        """Share of each layer's connections (of its channels, for "thin") that is left."""
        return {name: share_left(layer, self.kind) for name, layer in self._layers.items()}

    def step(
        self,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        shares: Mapping[str, float] | None = None,
    ) -> bool:
        """Take connections away if it is time to; after `optimizer.step()`.

        Args:
            optimizer: forgets what it knows of those that have gone (moments, momentum). Masks hold without; but one
                that mixes the entries of a matrix, as Muon does, goes on to see them for a while.
            shares: to end with from now on, by layer; what has gone stays away all the same.

        Returns:
            Whether anything was taken.
        """
        self._done += 1
        self._final |= {name: min(max(x, 1e-9), 1.0) for name, x in (shares or {}).items()}
        if self.kind == "fixed":
            if self._done == 1:
                self._clear(optimizer)
            return False
        on_the_way = self._done < self._last and self._done % self._every == 0
        if not (on_the_way or self._done == self._last):
            return False
        before = self.densities
        self._take()
        self._clear(optimizer)
        return self.densities != before

    def smaller(self) -> nn.Module:
        """A copy of the model without the channels that were thinned, for a chip on which a zero weight costs.

        It computes the same, as its `state_dict` and NIR of its own. What else knows the number of channels (an
        `nn.Unflatten`, a number in `forward`) has to be changed by hand.

        Raises:
            ValueError: it is not "thin", a layer has no `feeds` to be cut with, or neurons have values of their own.

        Example:
            >>> model = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 4))
            >>> thin = Connections(model, {"0": 0.1}, kind="thin", steps=1, feeds={"0": ["2"]})
            >>> thin.step(), thin.smaller()[0]
            (True, Linear(in_features=20, out_features=5, bias=True))
        """
        alone = [name for name, found in self._slices.items() if len(found) < 2]
        if self.kind != "thin" or alone:
            what = f"feeds of {alone[0]!r}" if alone and self.kind == "thin" else "kind='thin'"
            raise ValueError(f"Connections: a smaller model needs {what}; make it with that.")
        kept = {name: left_of(layer, self.kind) for name, layer in self._layers.items()}
        return without_channels(self._model, ((self._slices[n], keep) for n, keep in kept.items()))

    def state_dict(self) -> dict[str, Any]:
        """What it is and how far; the masks are in the model's."""
        return {"kind": self.kind, "done": self._done, "final": dict(self._final)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: it is of something else.
        """
        mine = self.state_dict()
        if state.keys() != mine.keys() or state["kind"] != self.kind:
            raise ValueError(
                f"Connections: the saved state is of {state.get('kind', 'something else')!r}, expected {self.kind!r}."
            )
        if state["final"].keys() != self._final.keys():
            raise ValueError(
                f"Connections: the saved state is of layers {list(state['final'])}, expected {list(self._final)}."
            )
        self._done, self._final = int(state["done"]), dict(state["final"])

    @torch.no_grad()
    def _take(self) -> None:
        to_go = (1 - self.progress) ** 3
        for name, layer in self._layers.items():
            share = self._final[name] + (1 - self._final[name]) * to_go
            weight, present = original(layer), left_of(layer, self.kind)
            if self.kind == "thin":
                norms = masked(layer).flatten(1).norm(dim=1)
                keep = largest(norms.where(present, -1.0), share)
                for each in self._slices[name]:
                    each.take_out(keep)
            else:
                take_out(layer, largest(weight.abs().where(present, -1.0), share))

    @torch.no_grad()
    def _draw(self, generator: torch.Generator) -> None:
        for name, layer in self._layers.items():
            weight = original(layer)
            drawn = torch.rand(weight.shape, generator=generator, dtype=torch.float64)
            drawn = drawn.to(weight.device).where(left_of(layer, "fixed"), -1.0)
            take_out(layer, largest(drawn, self._final[name]))
        self._clear(None)

    @torch.no_grad()
    def _clear(self, optimizer: torch.optim.Optimizer | None) -> None:
        """Nothing is left behind the masks: weight decay and an optimizer's moments find zeros."""
        for layer, of in self._masked:
            parameter, mask = original(layer, of), mask_of(layer, of)
            assert mask is not None
            known = optimizer.state.get(parameter, {}) if optimizer is not None else {}
            moments = [x for x in known.values() if isinstance(x, Tensor)]
            for each in (parameter, *(x for x in moments if x.shape == parameter.shape)):
                each.mul_(mask)


def _check_numbers(
    kind: str, layers: Mapping[str, float], steps: int, every: int, end: float
) -> None:
    if kind not in get_args(Kind):
        raise ValueError(f"Connections: kind is {kind!r}; choose one of {list(get_args(Kind))}.")
    if not (steps >= 1 and every >= 1 and 0 <= end <= 1):
        raise ValueError(
            f"Connections: expected steps >= 1, every >= 1 and 0 <= end <= 1, got {steps}, {every} and {end}."
        )
    for name, share in layers.items():
        if not 0 < share <= 1:
            raise ValueError(
                f"Connections: the share of layer {name!r} is {share}, expected a number > 0 and <= 1."
            )


def _prunable(model: nn.Module, layers: Iterable[str], kind: Kind) -> dict[str, Prunable]:
    found = {n: m for n, m in model.named_modules() if isinstance(m, Prunable)}
    check_names(layers, tuple(found), "layer with prunable weights", "Connections")
    chosen = {name: found[name] for name in layers}
    check_plain(chosen, "Connections")
    grouped = [name for name, layer in chosen.items() if groups(layer) > 1]
    if kind == "thin" and grouped:
        raise ValueError(
            f"Connections: {grouped[0]!r} is a convolution of {groups(chosen[grouped[0]])} groups, whose channels "
            "depend on those of the layer before. Leave it out; it is thinned with that layer, if it is among its feeds."
        )
    return chosen
