"""Counting under the public Monitor: what any model spends, exactly and differentiably, while it runs."""

# More than 250 lines: the facade of counting; half of it is the docstring of its options.

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, ParamSpec, Self, TypeVar

from torch import Tensor, nn

from picojoule.synops.counts import Counts, Detail, RateDetail, Rates
from picojoule.synops.distributed import Reduce, group_of, summed_over, unwrapped
from picojoule.synops.formulas import Formula
from picojoule.synops.recorder import Recorder
from picojoule.synops.watch.checks import MonitorWarning, oddities, own_names
from picojoule.synops.watch.count import Weights
from picojoule.synops.watch.detail import DETAIL_AXES, DetailAxis
from picojoule.synops.watch.known import KnownCalls, WitnessMode
from picojoule.synops.watch.ledger import Ledger
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES
from picojoule.synops.watch.pass_size import PassSize
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.spiking import TIME_AXES, TimeAxis

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_RUN_BY = ("run", "simulate", "generate", "predict", "encode", "step")
_INPUTS = {"auto": None, "spikes": SIGNED_SPIKES, "dense": DENSE}


class CountingMonitor:
    """Counts the synaptic operations and firing rates of any `nn.Module` in its forward passes.

    One SynOp is one spike that arrives at one existing synapse; a graded spike counts as many. Spikes
    are followed from the layers that make them through pooling, reshaping, merging, scaling and
    dropout to the products that they drive; spikes that meet spikes (queries and keys) count by
    both. Products of dense values are reported apart, as MACs. A tensor of unknown origin, such as
    the model's input, is spikes if all its values are whole numbers.

    The results are those of the last forward pass, with its graph, for a loss. Outputs, gradients,
    random numbers and `state_dict` are the same with and without a Monitor.

    A compiled model runs uncompiled while it is watched: attach the Monitor after compiling.

    Args:
        model: any module, from Picojoule or not.
        weights: "nonzero" takes pruned weights for no synapses.
        formulas: formulas by type of module, `formula(module, *inputs)`, or by function, called like it;
            they give a list of :class:`picojoule.synops.Synapses`.
        ignore: names of modules that are not counted, with all they contain.
        spiking: types or names of your own modules whose output (or its first tensor) is spikes. What one of their
            spikes is worth is the largest value of which all are multiples, found in the first pass and anew where values no
            longer fit; without one, they are dense values.
        time_axis: where the model's input has its time: "bt", "tb", "last", "folded" into one axis, "loop"
            (the model makes the steps, or calls its neurons once a step), or "outer" (you call the model once
            a step; counts add up until `reset`). Omitted: what the spiking layers are seen to get.
        num_timesteps: time steps of a sample, where no layer can tell.
        samples: samples of a forward pass, where neither a layer nor the input can tell.
        inputs: what a tensor of unknown origin is: "spikes", "dense", or "auto", by its values.
        convention: "strict", or "sinabs", which counts dense values by magnitude, as the hooks do.
        conventions: keep what the counters of others would count, too, for `report().convention(name)`
            and `report().explain()`; it takes more passes over the data.
        accumulate: add up forward passes until `reset`, instead of keeping the last.
        detail: keep SynOps by these axes, too: "sample", "step", "channel" (of the input; features of
            a linear layer), as `synops.detail[name]`, and firing rates by "sample" and "step", as
            `rates.detail[name]`; with "sample", `report()` has the spread over samples. It takes several passes
            over the data.
        reduce: the processes that results are of, once `torch.distributed` is initialised: "auto" is
            all of them, None this one, or give a process group. See "Many processes".
        witness: look below PyTorch's functions, too, where scripts, exports, quantised layers and functions
            without a formula multiply: "auto" on the first pass and whenever shapes or calls are new,
            "always", or "off".

    What is not known:
        Neurons of other libraries and of published repositories are known by their classes; others are looked for in
        the first forward pass, by what they do. Where neurons were found so, where something only looks like one, and
        where samples or time steps could not be told, a :class:`picojoule.synops.MonitorWarning` names the option,
        once, and `warnings` and the report have it.

    Many processes:
        The first reading of a result after a forward pass adds up all sums in one all-reduce, with its
        gradient. A penalty on the global mean, added to the loss on every rank, then has under
        `DistributedDataParallel`, which averages gradients, the gradient of one process with all samples.
        Ranks with more samples weigh more. **All ranks have to read, and to run backward if one does: a
        rank that reads alone waits for the others forever.** To print on one, read on all. All ranks
        have to call the same layers, with inputs of one shape but for the samples.

    Raises:
        ValueError: a name is not in the model, or an option is unknown.
        NotImplementedError: from the forward pass, if a layer has weights but no formula.

    Example:
        >>> import picojoule
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(3, 4), picojoule.layers.IAF(), nn.Linear(4, 2))
        >>> with picojoule.Monitor(model) as monitor:
        ...     _ = model(torch.ones(5, 10, 3))
        >>> monitor.synops["0"], monitor.synops.per_sample["0"]
        (tensor(12.), tensor(120.))
        >>> monitor.rates["1"].shape
        torch.Size([4])
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        weights: Weights = "all",
        formulas: Mapping[Any, Formula] | None = None,
        ignore: Sequence[str] = (),
        spiking: Sequence[type[nn.Module] | str] = (),
        time_axis: TimeAxis | None = None,
        num_timesteps: int | None = None,
        samples: int | None = None,
        inputs: Literal["auto", "spikes", "dense"] = "auto",
        convention: Literal["strict", "sinabs"] = "strict",
        conventions: bool = False,
        accumulate: bool = False,
        detail: Sequence[DetailAxis] = (),
        reduce: Reduce = "auto",
        witness: WitnessMode = "auto",
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(
                f"{type(self).__name__}: got {type(model).__name__}, expected an nn.Module. An EventNetwork counts by itself: "
                "network.report()."
            )
        _check_choice("weights", weights, ("all", "nonzero"))
        _check_choice("time_axis", time_axis, (None, *TIME_AXES))
        _check_choice("inputs", inputs, tuple(_INPUTS))
        _check_choice("convention", convention, ("strict", "sinabs"))
        _check_choice("witness", witness, ("auto", "always", "off"))
        for axis in detail:
            _check_choice("detail", axis, DETAIL_AXES)
        _check_number("num_timesteps", num_timesteps)
        _check_number("samples", samples)
        if isinstance(reduce, str):
            _check_choice("reduce", reduce, ("auto",))
        self._model = unwrapped(model)
        names = tuple(name for name in spiking if isinstance(name, str))
        ignored = own_names(self._model, "ignore", ignore)
        named = own_names(self._model, "spiking", names)
        self._settings = Settings(
            weights=weights,
            formulas=dict(formulas or {}),
            ignore=ignored,
            spiking_types=tuple(kind for kind in spiking if not isinstance(kind, str)),
            spiking_names=named,
            time_axis=time_axis,
            num_timesteps=num_timesteps,
            samples=samples,
            inputs=_INPUTS[inputs],
            dense_as_spikes=convention == "sinabs",
            conventions=conventions,
            detail=tuple(detail),
        )
        self._recorder = Recorder(
            self._model,
            self._settings,
            KnownCalls(witness),
            accumulate=accumulate or time_axis == "outer",
        )
        self._reduce: Reduce = reduce
        self._witness: WitnessMode = witness
        self._summed: tuple[int, Ledger] | None = None  # over all processes, of which change

    # ---- watching

    def attach(self) -> Self:
        """Start to watch; the same as entering the `with` block.

        Raises:
            TypeError: the model itself is a script, which takes no hooks.
        """
        self._recorder.attach()
        return self

    def detach(self) -> None:
        """Stop to watch; the results stay."""
        self._recorder.detach()

    def reset(self) -> None:
        """Forget the results."""
        self._recorder.reset()

    def __enter__(self) -> Self:
        return self.attach()

    def __exit__(self, *_: object) -> None:
        self.detach()

    def call(
        self,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Watch a call that is not the model's own `forward` as one forward pass, such as `model.run` or `generate`.

        Args:
            function: a method of the model, or a function that runs it.
            *args: what it is called with; samples and time steps are looked for there.
            **kwargs: the same, by name.

        Returns:
            What the function gives.

        Example:
            >>> import picojoule
            >>> import torch
            >>> from torch import Tensor, nn
            >>> class Network(nn.Module):
            ...     def __init__(self) -> None:
            ...         super().__init__()
            ...         self.synapses = nn.Linear(3, 4)
            ...     def run(self, inputs: dict[str, Tensor]) -> Tensor:
            ...         return self.synapses(inputs["X"])
            >>> network = Network()
            >>> monitor = picojoule.Monitor(network)
            >>> _ = monitor.call(network.run, {"X": torch.ones(5, 3)})
            >>> monitor.synops.per_sample["synapses"]
            tensor(12.)
        """
        result: _Result = self._recorder.call(function, args, kwargs)
        return result

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Not watching meanwhile, if it does."""
        attached = self._recorder.attached
        self.detach()
        try:
            yield
        finally:
            if attached:
                self.attach()

    @contextmanager
    def counting_as(self, samples: int, num_timesteps: int) -> Iterator[None]:
        """Count meanwhile per these samples and time steps, whatever each layer has: SynOps and firing rates.

        For passes in which the same spikes are spread over other time steps in each part of the model. A change of
        steps that is no :class:`picojoule.layers.retime.Retime` is judged by its values.
        """
        self._recorder.size = PassSize(samples, num_timesteps)
        try:
            yield
        finally:
            self._recorder.size = None

    def twin(self) -> CountingMonitor:
        """Another Monitor of the model, not attached, that counts in the same way and adds up over passes.

        For a data set, while this one holds what training needs. What it does not keep: detail, and conventions of others.
        """
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other._settings = replace(self._settings, detail=(), conventions=False)
        known = KnownCalls(self._witness)
        other._recorder = Recorder(self._model, other._settings, known, accumulate=True)
        other._summed = None
        return other

    def __reduce__(self) -> str:
        raise TypeError(
            "A Monitor cannot be copied or pickled: it watches one model. Make another, picojoule.Monitor(model), of the copy; "
            "what was counted can be kept as monitor.report()."
        )

    # ---- results

    @property
    def model(self) -> nn.Module:
        """The module that is watched; of a compiled one, the original."""
        return self._model

    @property
    def settings(self) -> Settings:
        """What is counted and how."""
        return self._settings

    @property
    def weights(self) -> Weights:
        """Whether "all" weights are synapses, or those that are "nonzero"."""
        return self._settings.weights

    @property
    def spiking_layers(self) -> tuple[str, ...]:
        """Names of the modules whose output is taken for spikes; known before the model has run."""
        kinds = {name: self._settings.kind_of(name, m) for name, m in self._model.named_modules()}
        return tuple(name for name, kind in kinds.items() if kind is not None and kind.spikes)

    @property
    def saw_gradients(self) -> bool:
        """Whether the last forward pass ran with gradients, so that the counts have theirs."""
        return self._recorder.saw_gradients

    @property
    def adds_up(self) -> bool:
        """Whether the results are of all forward passes since `reset`, and not of the last one."""
        return self._recorder.accumulate

    @property
    def passes_with_gradients(self) -> int:
        """How many forward passes were watched so far that ran with gradients."""
        return self._recorder.with_gradients

    @property
    def synops(self) -> Counts:
        """SynOps by layer or call, per sample and time step, and their `total`; differentiable."""
        counts = self.counts("synops")
        if self._settings.detail:
            counts.detail = Detail(self.ledger.details, self._settings.detail)
        return counts

    @property
    def macs(self) -> Counts:
        """Products of dense values by layer or call, per sample and time step."""
        return self.counts("macs")

    @property
    def dense(self) -> Counts:
        """Products by layer or call if each value were 1 at each step, per sample and time step."""
        return self.counts("dense")

    @property
    def rates(self) -> Rates:
        """Firing rates of each spiking layer, `*n`, spikes per time step; differentiable."""
        axes = self._settings.detail
        kept = {"sample", "step"} & {*axes}
        detail = RateDetail(self.ledger.rate_details, axes) if kept else None
        return Rates(self.ledger.rates, detail)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be known of the forward passes, such as their time steps: sentences that name the option.

        Each was a :class:`picojoule.synops.MonitorWarning`, too, once, unless the options settle it as far as can be.
        """
        return tuple(self.ledger.notes)

    @property
    def turned_dense(self) -> frozenset[str]:
        """Layers that were given spikes in an earlier pass, and dense values in those that are counted: their SynOps are 0."""
        own = self._recorder.ledger
        return frozenset(() if own is None else own.turned)

    @property
    def neuron_updates(self) -> Counts:
        """Neurons that were updated, by layer with dynamics, per sample and time step."""
        synops = self.synops
        return Counts(self.ledger.updates, synops.sample_steps, synops.num_timesteps)

    def check(self) -> list[str]:
        """Warn of dead or saturated layers, dense inputs that dominate, and a forgotten reset.

        Each is a :class:`picojoule.synops.MonitorWarning`; the sentences are returned too. Waits for the
        device, so it is not for every step.
        """
        ledger = self.ledger
        if self._settings.time_axis == "outer":  # there the state is meant to stay
            ledger = replace(ledger, carried={})
        found = list(oddities(ledger, self.macs.total.item(), self.synops.total.item()))
        for sentence in found:
            warnings.warn(f"Monitor: {sentence}", MonitorWarning, stacklevel=2)
        return found

    def counts(self, what: Literal["synops", "macs", "dense", "biases"]) -> Counts:
        """One of the sums that are kept of each layer or call, per sample and time step."""
        ledger = self.ledger
        totals = {name: getattr(line, what) for name, line in ledger.lines.items()}
        sample_steps = sum(p.samples * p.num_timesteps for p in ledger.passes)
        if self._settings.time_axis == "outer":
            return Counts(totals, sample_steps, len(ledger.passes), tuple(ledger.notes))
        samples = sum(p.samples for p in ledger.passes)
        # of a tensor nobody asks whether it is 0: that would wait for its device
        none = not isinstance(sample_steps, Tensor) and sample_steps == 0
        num_timesteps = 1.0 if none else sample_steps / samples
        return Counts(totals, sample_steps, num_timesteps, tuple(ledger.notes))

    @property
    def own_ledger(self) -> Ledger:
        """The ledger of this process alone: in the sum over several, each layer's graph reaches those of all.

        Raises:
            RuntimeError: no forward pass was watched yet.
        """
        own = self._recorder.ledger
        if own is None:
            raise RuntimeError(
                "Monitor: no forward pass was watched yet. Call the model inside the with block, or "
                f"after attach(); call the module itself, not its forward(){_other_methods(self._model)}."
            )
        return own

    @property
    def ledger(self) -> Ledger:
        """What was spent, by layer or call, in plain numbers over all samples and time steps.

        Raises:
            RuntimeError: no forward pass was watched yet.
        """
        own, changes = self.own_ledger, self._recorder.changes
        group = group_of(self._reduce)
        if group is None:
            return own
        if self._summed is None or self._summed[0] != changes:
            self._summed = changes, summed_over(group, own)
        return self._summed[1]


def _other_methods(model: nn.Module) -> str:
    """How to watch the methods by which models are run that have no `forward`, or have others, too."""
    found = [name for name in _RUN_BY if callable(getattr(type(model), name, None))]
    return "".join(
        f". To watch {name}(), call monitor.call(model.{name}, ...)" for name in found[:1]
    )


def _check_number(name: str, value: int | None) -> None:
    if value is not None and not (isinstance(value, int) and value >= 1):
        raise ValueError(f"Monitor: {name} is {value!r}, expected a whole number >= 1.")


def _check_choice(name: str, value: Any, known: tuple[Any, ...]) -> None:
    if value not in known:
        raise ValueError(f"Monitor: {name} is {value!r}; choose one of {list(known)}.")
