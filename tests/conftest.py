"""The neuron layers that every contract is checked on: a new neuron is one line in NEURONS."""

import gc
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.activation import MembraneReset, SingleSpike
from picojoule.layers import (
    ALIF,
    IAF,
    LIF,
    ALIFRecurrent,
    ALIFRecurrentSqueeze,
    ALIFSqueeze,
    ExpLeak,
    ExpLeakSqueeze,
    IAFRecurrent,
    IAFRecurrentSqueeze,
    IAFSqueeze,
    LIFRecurrent,
    LIFRecurrentSqueeze,
    LIFSqueeze,
    SqueezeMixin,
    StatefulLayer,
)

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # the tests share the cores; more threads would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start
    torch.set_num_threads(1)


compiling = pytest.mark.skipif(
    tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 11),
    reason="torch.compile is for PyTorch 2.11 and later",
)


def pytest_collection_finish() -> None:
    """What was imported stays; looking through all of it for garbage would take half a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _same_numbers_whatever_ran_before() -> None:
    """What a test draws does not depend on the order of the tests, nor on which process runs it."""
    torch.manual_seed(0)


@dataclass(frozen=True)
class Neuron:
    """A kind of neuron layer and how to call it with `b t *n`, squeezed or not."""

    layer_class: type[StatefulLayer]
    arguments: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.layer_class.__name__}({arguments})"

    def build(self, **more: Any) -> StatefulLayer:
        squeeze = {"batch_size": 1} if issubclass(self.layer_class, SqueezeMixin) else {}
        return self.layer_class(**squeeze, **{**self.arguments, **more})

    @staticmethod
    def run(layer: StatefulLayer, data: Tensor) -> Tensor:
        """Output `b t *n` for `data`, `b t *n`."""
        if not isinstance(layer, SqueezeMixin):
            return layer(data)
        batch, time = data.shape[:2]
        layer.batch_size, layer.num_timesteps = (batch, -1) if batch else (-1, time)
        return layer(data.flatten(0, 1)).unflatten(0, (batch, time))


NEURONS = [
    Neuron(IAF),
    Neuron(IAF, {"tau_syn": 3.0}),
    Neuron(IAF, {"spike_fn": SingleSpike, "reset_fn": MembraneReset(-0.25)}),
    Neuron(LIF, {"tau_mem": 4.0}),
    Neuron(LIF, {"tau_mem": 4.0, "tau_syn": 3.0}),
    Neuron(LIF, {"tau_mem": 4.0, "norm_input": False}),
    Neuron(LIF, {"tau_mem": 4.0, "min_v_mem": -0.25}),
    Neuron(LIF, {"tau_mem": 4.0, "tau_syn": 3.0, "train_alphas": True}),
    Neuron(ALIF, {"tau_mem": 4.0, "tau_adapt": 5.0}),
    Neuron(ALIF, {"tau_mem": 4.0, "tau_adapt": 5.0, "tau_syn": 3.0, "train_alphas": True}),
    Neuron(ALIF, {"tau_mem": 4.0, "tau_adapt": 5.0, "norm_input": False, "min_v_mem": -0.25}),
    Neuron(IAFRecurrent, {"rec_connect": nn.Tanh()}),
    Neuron(LIFRecurrent, {"tau_mem": 4.0, "tau_syn": 3.0, "rec_connect": nn.Tanh()}),
    Neuron(ALIFRecurrent, {"tau_mem": 4.0, "tau_adapt": 5.0, "rec_connect": nn.Tanh()}),
    Neuron(ExpLeak, {"tau_mem": 4.0}),
    Neuron(ExpLeak, {"tau_mem": 4.0, "norm_input": True, "min_v_mem": -0.25}),
]
SQUEEZED = {
    IAFRecurrent: IAFRecurrentSqueeze,
    LIFRecurrent: LIFRecurrentSqueeze,
    ALIFRecurrent: ALIFRecurrentSqueeze,
    ALIF: ALIFSqueeze,
    IAF: IAFSqueeze,
    LIF: LIFSqueeze,
    ExpLeak: ExpLeakSqueeze,
}
NEURONS += [
    Neuron(SQUEEZED[neuron.layer_class], neuron.arguments)
    for neuron in NEURONS
    if neuron.layer_class in SQUEEZED
]


# a part that the kernels do not know is no fault of a layer
ANY_PART = pytest.mark.filterwarnings("ignore::picojoule.SlowPathNote")


@pytest.fixture(params=[pytest.param(each, marks=ANY_PART) for each in NEURONS], ids=str)
def neuron(request: pytest.FixtureRequest) -> Neuron:
    """One kind of neuron layer."""
    return request.param


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def plain_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers run the reference: for tests that compare gradients with sinabs' to the last bit."""
    monkeypatch.setattr(LIF, "impl", "reference")
    monkeypatch.setattr(ALIF, "impl", "reference")
