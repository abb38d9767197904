"""Passes that end by an exception that is no Exception, of which PyTorch tells no hook: nothing of them is left."""

import copy
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.overrides import TorchFunctionMode

from picojoule import Monitor
from picojoule.layers import IAF
from picojoule.synops.watch.forward import WatchedForward
from picojoule.synops.watch.running import running
from picojoule.synops.watch.tally import Tally

X = torch.ones(5, 3)


class Stop(BaseException):
    """What is no Exception, as KeyboardInterrupt."""


class Runs(nn.Module):
    """Calls a function of its own, which a test changes; a module that holds others."""

    def __init__(self, function: Any = None, *inside: nn.Module) -> None:
        super().__init__()
        self.function, self.inside = function, nn.ModuleList(inside)

    def forward(self, x: Tensor) -> Any:
        return x if self.function is None else self.function(self, x)


def stops(*_: Any, **__: Any) -> Any:
    raise Stop


def hooks(model: nn.Module) -> list[int]:
    of_all = torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks
    own = [each for m in model.modules() for each in (m._forward_hooks, m._forward_pre_hooks)]
    return [len(each) for each in (*of_all, *own)]


def modes() -> tuple[int, int]:
    return torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()


@contextmanager
def leaves_nothing(model: nn.Module) -> Iterator[None]:
    """What runs inside ends by Stop, and leaves hooks, modes, filters and passes as they were."""
    before = hooks(model), modes(), list(warnings.filters), len(running().passes)
    with pytest.raises(Stop):
        yield
    assert (hooks(model), modes(), list(warnings.filters), len(running().passes)) == before
    assert running().asides == 0
    assert running().function is None


def counts(model: nn.Module, monitor: Monitor) -> float:
    model(X)
    return float(monitor.synops.per_sample["0"])


def places() -> list[Any]:
    """Where a pass may stop: in the model, in a layer, in a neuron, in their hooks before and after."""

    def pre(model: Any) -> Any:
        return model[1].register_forward_pre_hook(stops).remove

    def post(model: Any) -> Any:
        return model[1].register_forward_hook(stops).remove

    def own(model: Any) -> Any:
        return model.register_forward_hook(stops).remove

    def own_pre(model: Any) -> Any:
        return model.register_forward_pre_hook(stops).remove

    def inside(model: Any) -> Any:
        model[1].function = stops
        return lambda: setattr(model[1], "function", None)

    def in_a_neuron(model: Any) -> Any:
        own = model[2].forward
        model[2].forward = stops
        return lambda: setattr(model[2], "forward", own)

    return [pre, post, own, own_pre, inside, in_a_neuron]


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), Runs(), IAF(), nn.Linear(4, 2))


@pytest.mark.filterwarnings("ignore:Monitor")
@pytest.mark.parametrize("place", places())
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("later", [False, True])
def test_nothing_is_left_at_once_and_the_next_pass_is_counted(
    place: Any, number: int, later: bool
) -> None:
    """3 spikes reach 4 neurons each."""
    model = network()
    monitors = [Monitor(model, time_axis="loop").attach() for _ in range(number)]
    if later:  # a pass that is not the first
        assert counts(model, monitors[0]) == 12
    put_right = place(model)
    with leaves_nothing(model):
        model(X)
    assert torch.linalg.inv(2 * torch.eye(2)).sum() == 1  # nobody looks
    put_right()
    for monitor in monitors:
        assert counts(model, monitor) == 12
        monitor.detach()
    assert sum(hooks(model)) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_with_block_that_is_interrupted(error: type[BaseException]) -> None:
    def raises(*_: Any) -> Any:
        raise error

    model = nn.Sequential(nn.Linear(3, 4), Runs(raises))
    with pytest.raises(error), Monitor(model):
        model(X)
    assert sum(hooks(model)) == 0
    assert modes() == (0, 0)
    assert model._compiled_call_impl is None


@pytest.mark.parametrize("method", ["enter", "settle"])
def test_an_interrupt_while_something_is_counted(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network()
    monitor = Monitor(model, time_axis="loop").attach()
    monkeypatch.setattr(Tally, method, stops)
    with leaves_nothing(model):
        model(X)
    monkeypatch.undo()
    assert counts(model, monitor) == 12


@pytest.mark.parametrize("method", ["_push", "returned", "stop", "finish"])
def test_an_interrupt_where_a_pass_begins_or_ends(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network()
    monitor = Monitor(model, time_axis="loop").attach()
    monkeypatch.setattr(WatchedForward, method, stops)
    with leaves_nothing(model):
        model(X)
    monkeypatch.undo()
    assert counts(model, monitor) == 12


def test_a_call_that_is_interrupted() -> None:
    model = nn.Sequential(nn.Linear(3, 4), Runs())
    monitor = Monitor(model, time_axis="loop")
    with leaves_nothing(model):
        monitor.call(lambda x: stops(model(x)), X)
    assert not monitor.call(model, X).isnan().any()
    assert monitor.synops.per_sample["0"].item() == 12


def test_modes_of_the_users_stay() -> None:
    class Mode(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return func(*args, **(kwargs or {}))

    def inside(_: Any, x: Tensor) -> Any:
        with Mode():
            return stops()

    model = nn.Sequential(nn.Linear(3, 4), Runs(inside))
    with Mode() as mode, Monitor(model):
        with leaves_nothing(model):
            model(X)
        assert torch.overrides._get_current_function_mode() is mode


def test_a_part_that_is_interrupted_and_the_whole_that_is_not_watched() -> None:
    def goes_on(module: Any, x: Tensor) -> Any:
        with pytest.raises(Stop):
            module.inside[0](x)
        return x

    part = nn.Sequential(nn.Linear(3, 4), Runs(stops))
    model = nn.Sequential(nn.Linear(3, 3), Runs(goes_on, part))
    with Monitor(part):
        model(X)
        assert modes() == (0, 0)
        assert not running().passes


def test_a_model_that_goes_on_is_an_error() -> None:
    """Whatever ran after the layer that was left would be counted as inside it, here as a neuron's own arithmetic."""

    def goes_on(module: Any, x: Tensor) -> Any:
        with pytest.raises(Stop):
            module.inside[0](x)
        return module.inside[1](x)

    neuron = IAF()
    neuron.forward = stops  # type: ignore[method-assign]
    nested = nn.Sequential(nn.Sequential(Runs(goes_on, neuron, nn.Linear(3, 2))))
    for model in (nested, nested[0], nested[0][0]):
        monitor = Monitor(model, time_axis="loop").attach()
        with pytest.raises(NotImplementedError, match="left by an exception that is no Exception"):
            model(X)
        assert modes() == (0, 0)
        nested[0][0].function = lambda module, x: module.inside[1](x)
        model(X)
        assert monitor.synops.per_sample.total.item() == 6
        nested[0][0].function = goes_on
        monitor.detach()


def test_a_model_that_calls_itself_and_goes_on_is_an_error() -> None:
    depth = [0]

    def again(module: Any, x: Tensor) -> Any:
        depth[0] += 1
        if depth[0] > 1:
            stops()
        with pytest.raises(Stop):
            module(x)
        return module.inside[0](x)

    model = Runs(again, nn.Linear(3, 2))
    with (
        Monitor(model, time_axis="loop"),
        pytest.raises(NotImplementedError, match="left by an exception that is no Exception"),
    ):
        model(X)
    assert modes() == (0, 0)
    assert sum(hooks(model)) == 0


def test_the_models_own_error_goes_before() -> None:
    def fails(module: Any, x: Tensor) -> Any:
        with pytest.raises(Stop):
            module.inside[0](x)
        raise ValueError("the model's own")

    model = nn.Sequential(Runs(fails, Runs(stops)))
    with Monitor(model, time_axis="loop"), pytest.raises(ValueError, match="the model's own"):
        model(X)
    assert modes() == (0, 0)


@pytest.mark.filterwarnings("ignore:Monitor")
def test_a_monitor_that_is_detached_while_the_model_runs() -> None:
    model = nn.Sequential(nn.Linear(3, 4), Runs())
    monitor = Monitor(model).attach()
    model[1].function = lambda _, x: (monitor.detach(), x)[1]
    model(X)
    assert sum(hooks(model)) == 0
    assert modes() == (0, 0)
    with pytest.raises(RuntimeError, match="no forward pass was watched"):
        _ = monitor.synops


def test_a_thread_that_is_interrupted_while_another_goes_on() -> None:
    """Each has its passes; a pass in this thread goes on to its end, and counts 3 spikes at 4 synapses."""
    waits, left = threading.Event(), list[Any]()
    model, other = nn.Sequential(nn.Linear(3, 4), Runs()), nn.Sequential(nn.Linear(3, 4), Runs())

    def interrupted() -> None:
        other[1].function = lambda *_: (waits.wait(10), stops())
        with pytest.raises(Stop), Monitor(other):
            other(X)
        left.append((modes(), len(running().passes)))

    def meanwhile(_: Any, x: Tensor) -> Tensor:
        thread = threading.Thread(target=interrupted)
        thread.start()
        waits.set()
        thread.join()
        return x

    model[1].function = meanwhile
    with Monitor(model, time_axis="loop") as monitor:
        assert counts(model, monitor) == 12
    assert left == [((0, 0), 0)]
    assert sum(hooks(model)) == 0


def test_one_monitor_in_two_threads() -> None:
    """One stops while the other is at work: it neither ends nor counts the other's pass."""
    waits, goes_on = threading.Event(), threading.Event()
    model, main = nn.Sequential(nn.Linear(3, 4), Runs()), threading.get_ident()

    def run(_: Any, x: Tensor) -> Tensor:
        if threading.get_ident() != main:
            waits.set()
            goes_on.wait(10)
            stops()
        return x

    def interrupted() -> None:
        with pytest.raises(Stop):
            model(torch.ones(2, 3))

    model[1].function = run
    with Monitor(model, time_axis="loop") as monitor:
        thread = threading.Thread(target=interrupted)
        thread.start()
        waits.wait(10)
        model(X)
        assert monitor.dense.total.item() == 12
        assert len(running().passes) == 0
        goes_on.set()
        thread.join()
        assert counts(model, monitor) == 12
    assert sum(hooks(model)) == 0
    assert modes() == (0, 0)


def test_copies_of_a_watched_model_are_called_by_themselves() -> None:
    model = nn.Sequential(nn.Linear(3, 4))
    with Monitor(model):
        for twin in (copy.deepcopy(model), copy.copy(model)):
            assert twin._compiled_call_impl is None
