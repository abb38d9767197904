"""A watched model under checkpointing, autocast, copying, compiling and failure."""

import copy
import gc
import io
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import picojoule
from picojoule import Monitor
from picojoule.layers import ALIF, IAF, LIF, IAFSqueeze, SumPool2d
from picojoule.synops import MonitorWarning, fixed
from tests.python import python
from tests.synops.networks import T, lenet, spikes


@pytest.mark.filterwarnings("ignore:Monitor. no spiking layer was recognised")
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_layers_are_counted_once(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

        def body(self, x: Tensor) -> Tensor:
            return self.b((self.a(x) > 0).float() * 2)

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.body, x, use_reentrant=reentrant)

    model = Checkpointed()
    x = spikes(2, 3).requires_grad_()
    said = pytest.warns(MonitorWarning, match="use_reentrant=False") if reentrant else nullcontext()
    with Monitor(model) as monitor, said:
        model(x).sum().backward()
        before = monitor.synops.total.item()
        if not reentrant:
            monitor.synops.total.backward()
    assert monitor.synops["a"].item() == x.sum().item() * 4 / 2
    assert monitor.synops.total.item() == before


@pytest.mark.parametrize("witness", ["auto", "always", "off"])
@pytest.mark.parametrize(
    "neuron", [IAF(), LIF(4.0, tau_syn=3.0), LIF(4.0, record_states=True), ALIF(4.0, 5.0)]
)
def test_checkpointed_neurons_run_again_as_they_ran_under_watch(
    neuron: nn.Module, witness: Any
) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 4), neuron, nn.Linear(4, 2))

        def from_zeros(self, x: Tensor) -> Any:
            picojoule.reset_states(self)
            return self.layers(x)

        def forward(self, x: Tensor) -> Any:
            return checkpoint(self.from_zeros, x, use_reentrant=False)

    torch.manual_seed(0)
    model, x = Checkpointed(), 9 * spikes(5, T, 3)

    def gradients() -> tuple[Tensor, ...]:
        return torch.autograd.grad(model(x).square().sum(), list(model.layers[0].parameters()))

    want = gradients()
    with Monitor(model, witness=witness):
        for _ in range(2):
            torch.testing.assert_close(gradients(), want)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("autocast", [False, True])
def test_gradient_modes_and_autocast_leave_the_count(mode: Any, autocast: bool) -> None:
    model, x = lenet().eval(), spikes(3 * T, 1, 14, 14)
    with torch.no_grad():
        for parameter in model.parameters():  # exact in bfloat16
            parameter.copy_(parameter.sign() / 4)
    with Monitor(model) as monitor:
        model(x)
        plain = monitor.synops.total.item()
        picojoule.reset_states(model)
        with mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            model(x)
    assert monitor.synops.total.item() == pytest.approx(plain, rel=1e-6)


def test_copies_and_pickles_of_a_watched_model_are_not_watched() -> None:
    model, x = lenet(), spikes(T, 1, 14, 14)
    with Monitor(model) as monitor:
        model(x)
        before = monitor.synops.total.item()
        for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            copied(1 - x)
            torch.save(copied, io.BytesIO())
        assert monitor.synops.total.item() == before
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_monitor_belongs_to_its_model(copied: Any) -> None:
    model, x = lenet(), spikes(T, 1, 14, 14)
    with Monitor(model) as monitor:
        model(x)
        with pytest.raises(TypeError, match=r"Monitor cannot be copied or pickled.*of the copy"):
            copied(monitor)
        assert repr(pickle.loads(pickle.dumps(monitor.report()))) == repr(monitor.report())


@pytest.mark.parametrize("way", ["wrapped", "inside", "in place", "region"])
def test_a_compiled_model_is_watched_uncompiled(way: str) -> None:
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), spikes(5, 3)
    torch._dynamo.reset()
    call: Any = model
    if way in ("wrapped", "inside"):
        call = torch.compile(model, backend="eager")
    elif way == "in place":
        model.compile(backend="eager")
    else:
        model[0].compile(backend="eager")
    call(x)
    with Monitor(call if way == "wrapped" else model) as monitor:
        call(x)
    assert monitor.synops["0"].item() == pytest.approx(x.sum().item() * 4 / 5)
    call(x)  # compiled again
    assert (model._compiled_call_impl is not None) == (way == "in place")


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_a_model_is_compiled_again_in_whatever_order_monitors_are_detached(
    order: list[int],
) -> None:
    model, x = nn.Sequential(nn.Linear(3, 4)), spikes(5, 3)
    torch._dynamo.reset()
    model.compile(backend="eager")
    compiled = model._compiled_call_impl
    monitors = [Monitor(model).attach() for _ in range(3)]
    for number in order:
        model(x)
        assert monitors[number].dense.total.item() == 12
        assert model._compiled_call_impl is not compiled
        monitors[number].detach()
    assert model._compiled_call_impl is compiled


def test_a_model_that_is_compiled_while_it_is_watched_stays_so() -> None:
    model = nn.Sequential(nn.Linear(3, 4))
    with Monitor(model):
        model.compile(backend="eager")
        compiled = model._compiled_call_impl
    assert model._compiled_call_impl is compiled


def test_compiling_under_watch_runs_uncompiled_or_says_what_to_do() -> None:
    code = """if True:
        import sys, torch, picojoule
        model, x = torch.nn.Linear(3, 2), torch.ones(5, 3)
        for known in (False, True):  # to Picojoule: that there is a compiler
            assert ("torch._dynamo" in sys.modules) == known
            with picojoule.Monitor(model) as monitor:
                compiled = torch.compile(model, backend="eager")
                try:
                    compiled(x)
                    print(monitor.synops.total.item())
                except RuntimeError as error:
                    print(error)
    """
    done = python("-c", code)
    refused, counted = done.stdout.strip().splitlines()
    assert "Compile it first, then attach the Monitor" in refused
    assert counted == "6.0"


def test_a_failing_forward_leaves_nothing_behind() -> None:
    model = lenet()
    before = len(torch.nn.modules.module._global_forward_hooks)
    with Monitor(model) as monitor:
        with pytest.raises(RuntimeError):
            model(torch.zeros(T, 2, 14, 14))
        assert len(torch.nn.modules.module._global_forward_hooks) == before
        assert not torch._C._len_torch_function_stack()
        model(spikes(T, 1, 14, 14))
        assert monitor.synops.total.item() > 0


def test_a_monitor_that_is_forgotten_lets_compiled_code_be() -> None:
    def forget() -> None:
        model = nn.Linear(3, 2)
        picojoule.Monitor(model).attach()
        model(torch.ones(1, 3))

    import torch._dynamo

    forget()
    gc.collect()
    seen: list[bool] = []

    @torch.compile(backend="eager", fullgraph=True)
    def compiled(x: torch.Tensor) -> torch.Tensor:
        seen.append(torch.compiler.is_compiling())
        return x + 1

    compiled(torch.ones(1))
    assert seen == [True]


# ---- aliases that no function shows


class GivenBack(torch.autograd.Function):
    """Gives back what it was given, as a reversal of gradients does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


class Reversed(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return GivenBack.apply(super().forward(x))


def by_a_module(layer: nn.Module) -> nn.Module:
    layer.register_full_backward_hook(lambda *_: None)
    return layer


def before_a_module(layer: nn.Module) -> nn.Module:
    layer.register_full_backward_pre_hook(lambda *_: None)
    return layer


ALIASING: dict[str, Callable[[nn.Module], nn.Module]] = {
    "full backward hook": by_a_module,
    "full backward pre-hook": before_a_module,
    "a function that gives back": Reversed,
}
UNITS: dict[str, Callable[[], nn.Module]] = {
    "average pool 1d": lambda: nn.AvgPool1d(2),
    "average pool 2d": lambda: nn.Sequential(
        nn.Unflatten(2, (2, 4)), nn.AvgPool2d((2, 1)), nn.Flatten(2)
    ),
    "dropout": lambda: nn.Sequential(nn.Dropout(0.4), nn.AvgPool1d(2)),
    "units of each place": lambda: nn.AvgPool1d(3, 2, padding=1, count_include_pad=False),
    "a view": lambda: nn.Sequential(nn.AvgPool1d(2), nn.Unflatten(2, (2, 2)), nn.Flatten(2)),
}


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("aliased", ALIASING)
def test_spikes_under_another_name_keep_their_unit(aliased: str, unit: str, grad: bool) -> None:
    def counted(wrapped: Callable[[nn.Module], nn.Module]) -> list[tuple[float, float]]:
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(4, 8), IAF(), wrapped(UNITS[unit]()), wrapped(nn.Linear(4, 2))
        )
        with torch.no_grad():
            model[0].weight.abs_()
        monitor, found = Monitor(model), []
        for _ in range(3):
            picojoule.reset_states(model)
            torch.manual_seed(1)  # of dropout
            with monitor, torch.set_grad_enabled(grad):
                model(torch.ones(2, 5, 4))
            name = next(name for name in monitor.synops if name.startswith("3"))
            found.append((monitor.synops[name].item(), monitor.macs[name].item()))
        return found

    expected = counted(lambda layer: layer)
    assert expected[0][0] > 0
    assert expected[0][1] == 0
    assert counted(ALIASING[aliased]) == expected


def test_spikes_under_another_name_keep_their_unit_where_functions_are_not_seen() -> None:
    """Inside a layer that passes spikes on, and in a layer with a formula."""
    pool, linear = SumPool2d((1, 2)), nn.Linear(2, 3)
    model = nn.Sequential(
        nn.Linear(4, 8),
        IAFSqueeze(batch_size=2),
        nn.Unflatten(1, (1, 1, 8)),
        nn.AvgPool2d((1, 2)),
        pool,
        nn.Flatten(),
        linear,
    )
    with torch.no_grad():
        model[0].weight.abs_()
    formulas: Any = {nn.Linear: lambda module, x: [fixed(x, float(module.out_features))]}
    for options in ({}, {"formulas": formulas}):
        for layer in (pool, linear):
            layer.register_full_backward_hook(lambda *_: None)
        monitor = Monitor(model, **options)
        for _ in range(3):
            picojoule.reset_states(model)
            with monitor:
                model(torch.ones(2 * 5, 4))
            fired = monitor.rates["1"].sum().item()
            assert fired > 0
            assert monitor.synops["6"].item() == pytest.approx(fired * 3)
            assert monitor.macs["6"].item() == 0


def test_hooks_on_all_modules_alias_too() -> None:
    model = nn.Sequential(nn.Linear(4, 8), IAF(), nn.AvgPool1d(2), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.abs_()
    handle = torch.nn.modules.module.register_module_full_backward_hook(lambda *_: None)
    try:
        with Monitor(model) as monitor:
            for _ in range(3):
                picojoule.reset_states(model)
                model(torch.ones(2, 5, 4).requires_grad_())
                assert monitor.macs.total.item() == 0
                assert monitor.synops["3"].item() > 0
    finally:
        handle.remove()
    assert [given.spikes for given in monitor.ledger.inputs] == [True]


@pytest.mark.parametrize(
    ("change", "expected"),
    [(lambda y: y.mul_(0.3), (4 * 2, 0)), (torch.Tensor.sigmoid_, (0, 4 * 2))],
    ids=["scaled", "dense"],
)
def test_an_alias_of_what_was_changed_is_what_it_is_now(change: Any, expected: Any) -> None:
    class Changed(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            z = GivenBack.apply(y)
            change(y)
            return super().forward(z)

    model = Changed(nn.Linear(4, 2))
    with Monitor(model) as monitor, torch.no_grad():
        for _ in range(3):
            model(torch.ones(3, 4))
            assert (monitor.synops.total.item(), monitor.macs.total.item()) == expected
