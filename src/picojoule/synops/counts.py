"""Results of a count, by name: SynOps, MACs and firing rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from picojoule.synops.formulas.synapses import Count
from picojoule.synops.rates import share_silent
from picojoule.synops.watch.ledger import Rate

Number = float | Tensor


class Counts(Mapping[str, Tensor]):
    """Operations by layer, scalars per sample and time step; live tensors that a loss can use.

    Args:
        totals: operations by name, over all samples and steps.
        sample_steps: samples times time steps that these are over.
        num_timesteps: time steps of a sample.
        warnings: what could not be known of them.

    Example:
        >>> counts = Counts({"fc": 600.0, "out": 60.0}, sample_steps=6, num_timesteps=3)
        >>> counts["fc"], counts.total, counts.per_sample.total, counts.per_second(dt_s=1e-3).total
        (tensor(100.), tensor(110.), tensor(330.), tensor(110000.))
    """

    def __init__(
        self,
        totals: Mapping[str, Count],
        sample_steps: Number,
        num_timesteps: Number,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._totals = dict(totals)
        self._sample_steps, self._num_timesteps = sample_steps, num_timesteps
        self.warnings = warnings
        self._detail: Detail | None = None

    @property
    def sample_steps(self) -> float:
        """Samples times time steps that the totals are over."""
        return float(self._sample_steps)

    @property
    def num_timesteps(self) -> float:
        """Time steps of a sample: an `int`, unless it is the mean over samples of several lengths."""
        steps = float(self._num_timesteps)
        return int(steps) if steps.is_integer() else steps

    @property
    def detail(self) -> Detail:
        """The same by sample, step and channel, of a Monitor that was asked for it."""
        if self._detail is None:
            raise RuntimeError(
                "Monitor: no detail was kept. Pass detail=('sample', 'step', 'channel'), or some of "
                "these, and read monitor.synops.detail."
            )
        return self._detail

    @detail.setter
    def detail(self, detail: Detail) -> None:
        self._detail = detail

    def __getitem__(self, name: str) -> Tensor:
        return _scalar(self._totals[name], self._sample_steps)

    def __iter__(self) -> Iterator[str]:
        return iter(self._totals)

    def __len__(self) -> int:
        return len(self._totals)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name!r}: {self[name].item():.6g}" for name in self)
        return f"{type(self).__name__}({{{shown}}})"

    @property
    def total(self) -> Tensor:
        """Sum over the layers."""
        return _scalar(sum(self._totals.values(), start=0.0), self._sample_steps)

    @property
    def per_sample(self) -> Counts:
        """The same for whole samples, over all their time steps."""
        return Counts(self._totals, self._sample_steps / self._num_timesteps, 1)

    def per_second(self, dt_s: float) -> Counts:
        """The same per second, if a time step lasts `dt_s` seconds.

        Raises:
            ValueError: `dt_s` is not > 0.
        """
        if not dt_s > 0:
            raise ValueError(f"per_second: dt_s is {dt_s} seconds, expected dt_s > 0.")
        return Counts(self._totals, self._sample_steps * dt_s, self._num_timesteps)


class Detail(Mapping[str, Tensor]):
    """SynOps by layer, with those axes of sample, step and channel that were asked for, in this order.

    The mean is over samples and time steps that were not asked for, the sum over channels; so the
    mean over the former axes and the sum over the latter is the layer's number in `Counts`. Under
    `torch.distributed` the samples are those of this process. Spikes that meet spikes are put where
    the first operand has them. Differentiable.

    Args:
        synops: `b t *c` by layer; None where samples and time could not be told apart.
        axes: what to keep of "sample", "step" and "channel".

    Example:
        >>> detail = Detail({"fc": torch.tensor([[[1.0, 2.0], [3.0, 0.0]]])}, ["step", "channel"])
        >>> detail["fc"]
        tensor([[1., 2.],
                [3., 0.]])
    """

    def __init__(self, synops: Mapping[str, Tensor | None], axes: Sequence[str]) -> None:
        self._synops = dict(synops)
        self._away = [axis for axis, name in enumerate(("sample", "step")) if name not in axes]

    def __getitem__(self, name: str) -> Tensor:
        synops = self._synops[name]
        if synops is None:
            raise ValueError(
                f"Monitor: no detail for {name!r}: its input has no axes of all samples and time steps, "
                "or its formula does not say which element spends what. synops[name] is its sum."
            )
        return (synops.mean(self._away) if self._away else synops).to(torch.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._synops)

    def __len__(self) -> int:
        return len(self._synops)


class RateDetail(Mapping[str, Tensor]):
    """Firing rates by spiking layer, with those axes of sample and step that were asked for: the mean over neurons.

    The mean over these axes is the layer's in `Rates.mean`. Under `torch.distributed` the samples are those
    of this process. Differentiable.

    Args:
        spikes: spikes a neuron, `b t`, by layer; None where samples and time could not be told apart.
        axes: what to keep of "sample" and "step".

    Example:
        >>> detail = RateDetail({"lif": torch.tensor([[0.0, 0.5], [1.0, 0.5]])}, ["step"])
        >>> detail["lif"]
        tensor([0.5000, 0.5000])
    """

    def __init__(self, spikes: Mapping[str, Tensor | None], axes: Sequence[str]) -> None:
        self._spikes = dict(spikes)
        self._away = [axis for axis, name in enumerate(("sample", "step")) if name not in axes]

    def __getitem__(self, name: str) -> Tensor:
        spikes = self._spikes[name]
        if spikes is None:
            raise ValueError(
                f"Monitor: no detail for {name!r}: its output has no axes of all samples and time steps. "
                "rates[name] is its rate over all of them."
            )
        return (spikes.mean(self._away) if self._away else spikes).to(torch.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._spikes)

    def __len__(self) -> int:
        return len(self._spikes)


class Rates(Mapping[str, Tensor]):
    """Firing rates by spiking layer, `*n`, spikes per neuron and time step; differentiable.

    Example:
        >>> rates = Rates({"lif": Rate(torch.tensor([3.0, 0.0]), entries=6)})
        >>> rates["lif"], rates.mean, rates.silent_share
        (tensor([0.5000, 0.0000]), {'lif': tensor(0.2500)}, {'lif': tensor(0.5000)})
    """

    def __init__(self, rates: Mapping[str, Rate], detail: RateDetail | None = None) -> None:
        self._rates, self._detail = dict(rates), detail

    @property
    def detail(self) -> RateDetail:
        """The same by sample and time step, of a Monitor that was asked for it."""
        if self._detail is None:
            raise RuntimeError(
                "Monitor: no detail was kept. Pass detail=('sample', 'step'), or one of these, and read "
                "monitor.rates.detail."
            )
        return self._detail

    def __getitem__(self, name: str) -> Tensor:
        return self._rates[name].per_step

    def __iter__(self) -> Iterator[str]:
        return iter(self._rates)

    def __len__(self) -> int:
        return len(self._rates)

    @property
    def mean(self) -> dict[str, Tensor]:
        """Mean over the neurons of each layer."""
        return {name: self[name].mean() for name in self}

    @property
    def silent_share(self) -> dict[str, Tensor]:
        """Share of each layer's neurons that did not fire at all, 0 to 1."""
        return {name: share_silent(self[name]).float() for name in self}


def _scalar(total: Count, sample_steps: Number) -> Tensor:
    if isinstance(sample_steps, Tensor):  # of several processes, whose totals are tensors, too
        return torch.as_tensor(total / sample_steps).to(torch.float32)
    if not isinstance(total, Tensor):
        return torch.tensor(float(total) / max(sample_steps, 1e-300) if total else 0.0)
    return (total / (sample_steps or 1)).to(torch.float32)
