"""Published spiking networks as their repositories write them: the Monitor's numbers are right, or it says which option to pass.

The truth is counted below autograd, from the actual inputs of every multiplication (`truth.py`).
"""

import copy
import re
import warnings
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops import MonitorWarning
from tests.models.cases import CASES, Case, lively
from tests.models.truth import truth

pytestmark = pytest.mark.filterwarnings("ignore:(?!Monitor)")  # theirs, about themselves
_OPTION = re.compile(r"\b(num_timesteps|samples|time_axis|spiking)=|\b[Pp]ass (num_timesteps)\b")


@dataclass(frozen=True)
class Numbers:
    """What a user reads off a report."""

    samples: float
    num_timesteps: float
    synops_per_sample: float
    synops_per_timestep: float
    macs_per_sample: float
    updates_per_sample: float

    def same(self, other: "Numbers") -> bool:
        mine, its = vars(self).values(), vars(other).values()
        return all(a == pytest.approx(b, rel=1e-5) for a, b in zip(mine, its, strict=True))


def run(model: nn.Module, x: Tensor) -> Any:
    torch.manual_seed(1)  # for dropout
    return model(x.clone())


def counted(case: Case, model: nn.Module, x: Tensor, batch: int) -> tuple[Numbers, Any]:
    """The truth, and what the model gives without a Monitor; fails of a layer that no spike reaches."""
    model, outputs = copy.deepcopy(model), []
    found = truth(
        model, lambda: outputs.append(run(model, x)), case.neurons, case.units, case.products
    )
    silent = {layer for layer, synops in found.by_module.items() if synops == 0}
    assert silent == set(case.dense)  # of a silent layer any number would be right
    assert (found.macs > 0) == bool(silent)
    assert (found.updates > 0) == case.updates
    synops, macs, updates = (n / batch for n in (found.synops, found.macs, found.updates))
    return Numbers(batch, case.time, synops, synops / case.time, macs, updates), outputs[0]


def watched(
    model: nn.Module, x: Tensor, plain: Any = None, **options: Any
) -> tuple[Numbers | str, str]:
    """What the Monitor reports, or an error's message; and what its warnings or error say.

    Fails if the model gives something else than `plain`.
    """
    model = copy.deepcopy(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with Monitor(model, **options) as monitor:
                output = run(model, x)
            report = monitor.report()
        except ValueError as error:
            return str(error), str(error)
    if plain is not None:
        torch.testing.assert_close(output, plain, rtol=0, atol=0)
    said = [str(w.message) for w in caught if issubclass(w.category, MonitorWarning)]
    numbers = Numbers(
        report.samples,
        report.num_timesteps,
        report.synops_per_sample,
        report.synops_per_timestep,
        report.macs_per_sample,
        report.neuron_updates_per_sample,
    )
    return numbers, "\n".join(said)


def answers(case: Case, batch: int) -> dict[str, Any]:
    """What a user would pass, by the option that was asked for."""
    return {
        "num_timesteps": case.time,
        "samples": batch,
        "time_axis": case.time_axis,
        "spiking": case.neurons,
    }


def asked_for(said: str) -> set[str]:
    return {a or b for a, b in _OPTION.findall(said)}


@pytest.mark.parametrize("batch", [4, 2])  # the first is as many as time steps, too
@pytest.mark.parametrize("name", CASES)
def test_numbers_are_right_or_an_option_is_asked_for_that_makes_them_so(
    name: str, batch: int
) -> None:
    case = CASES[name]
    model, x = lively(case.build()), case.inputs(batch)
    expected, plain = counted(case, model, x, batch)
    options: dict[str, Any] = {}
    for _ in range(3):
        got, said = watched(model, x, plain, **options)
        if isinstance(got, Numbers) and expected.same(got):
            return
        asked = asked_for(said) - options.keys()
        assert asked, f"got {got}, expected {expected}, and was told with {options}: {said!r}"
        options |= {option: answers(case, batch)[option] for option in asked}
    pytest.fail(f"got {got}, expected {expected}, though asked {options}")


@pytest.mark.parametrize("name", CASES)
def test_with_all_options_numbers_are_right_and_nothing_is_asked_for(name: str) -> None:
    case = CASES[name]
    model, x = lively(case.build()), case.inputs(3)
    expected, plain = counted(case, model, x, 3)
    options = {k: v for k, v in answers(case, 3).items() if v is not None and k != "time_axis"}
    got, said = watched(model, x, plain, **options)
    assert got == Numbers(*(pytest.approx(n, rel=1e-5) for n in vars(expected).values()))
    assert asked_for(said) - {"spiking"} == set()  # neurons that no hook sees are named still


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.updates])
def test_of_neurons_that_no_hook_sees_it_is_said_that_they_are_missing(name: str) -> None:
    case = CASES[name]
    _, said = watched(lively(case.build()), case.inputs(3))
    assert "neuron" in said


def test_the_witness_counts_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(8, 3))
    x = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]]]])
    found = truth(model, lambda: model(x), (nn.Flatten,))
    # each of three spikes reaches four places in two channels; eight dense values reach three outputs
    assert (found.synops, found.macs, found.updates) == (3 * 4 * 2, 8 * 3, 8)
