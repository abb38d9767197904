"""What multiplies in ways that nobody knows is an error that names module, operator and the ways on."""

import threading

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops import Synapses, fixed
from tests.synops.witness.functional import Calls, spikes, totals

pytestmark = pytest.mark.filterwarnings("ignore:Monitor. no spiking layer was recognised")
X = spikes(4, 6)


@torch.library.custom_op("picojoule_tests::product", mutates_args=())
def product(x: Tensor, w: Tensor) -> Tensor:
    return x @ w.t()


@product.register_fake
def _(x: Tensor, w: Tensor) -> Tensor:
    return x.new_empty(len(x), len(w))


def with_operator() -> nn.Module:
    inner = Calls(lambda module, x: product(x, module.ws[0]), torch.rand(3, 6))
    return nn.Sequential(inner)


def test_somebody_elses_operator_with_weights() -> None:
    with Monitor(with_operator()) as monitor, pytest.raises(NotImplementedError) as error:
        monitor.model(X)
    assert str(error.value) == (
        "Monitor: module '0' (Calls) runs the operator picojoule_tests.product.default, which multiplies in a way "
        "that has no formula, so its SynOps are unknown. "
        "Pass formulas={torch.ops.picojoule_tests.product.default: your_formula}, or ignore=['0']."
    )


def test_the_two_ways_on() -> None:
    def formula(x: Tensor, w: Tensor) -> list[Synapses]:
        return [fixed(x, fan_out=float(len(w)))]

    for name in (
        torch.ops.picojoule_tests.product,
        torch.ops.picojoule_tests.product.default,
    ):
        assert totals(with_operator(), X, formulas={name: formula})[0] == 3 * X.sum().item()
    assert totals(with_operator(), X, ignore=["0"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: torch.linalg.solve(m.ws[0], x.t()),
        lambda m, x: torch.linalg.lstsq(m.ws[0], x.t()).solution,
        lambda m, x: torch.cholesky_solve(x.t(), m.ws[0].tril()),
    ],
)
def test_linear_algebra_with_data(function: object) -> None:
    model = Calls(function, torch.eye(6) + 0.1)  # type: ignore[arg-type]
    with Monitor(model), pytest.raises(NotImplementedError, match=r"runs the operator aten\."):
        model(X)


def test_linear_algebra_among_weights_is_none_of_it() -> None:
    model = Calls(lambda m, x: x @ torch.linalg.inv(m.ws[0]), torch.eye(6) + 0.1)
    assert totals(model, X) == (6 * X.sum().item(), 0.0)


def test_a_layer_in_another_thread() -> None:
    def elsewhere(module: nn.Module, x: Tensor) -> Tensor:
        made: list[Tensor] = []
        thread = threading.Thread(target=lambda: made.append(module.layer(x)))
        thread.start()
        thread.join()
        return made[0]

    model = Calls(elsewhere, layer=nn.Linear(6, 3))
    with (
        Monitor(model),
        pytest.raises(NotImplementedError, match=r"layer 'layer' \(Linear\) ran in"),
    ):
        model(X)
    assert totals(model, X, ignore=["layer"]) == (0.0, 0.0)


def test_models_in_threads_of_their_own_are_none_of_each_others_business() -> None:
    found = list[tuple[float, float]]()

    def watch() -> None:
        found.append(totals(nn.Sequential(nn.Linear(6, 3)), X, passes=5))

    threads = [threading.Thread(target=watch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(3 * X.sum().item(), 0.0)] * 2


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated")
def test_a_script_as_the_model_is_told_how_to_go_on() -> None:
    script = torch.jit.script(nn.Linear(6, 3))
    with pytest.raises(TypeError, match=r"Wrap it, model = nn.Sequential\(script\)"):
        Monitor(script).attach()
    assert totals(nn.Sequential(script), X) == (3 * X.sum().item(), 0.0)
