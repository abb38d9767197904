"""A part of the user's own keeps working where a kernel is passed over, and a note says so once."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from picojoule import SlowPathNote
from picojoule.activation import MembraneSubtract
from picojoule.ops import lif, slow_path
from picojoule.ops.availability import LIF
from picojoule.ops.checks import CheckedCurrent
from picojoule.ops.dispatch import Implementation, chosen, nothing_prevents
from picojoule.ops.lif import api
from picojoule.ops.plan import unsupported_part
from picojoule.ops.slow_path import CustomPart


def flat(v_mem: Tensor, threshold: Any) -> Tensor:
    """A surrogate of slope 1 everywhere."""
    return torch.ones_like(v_mem)


def keep(spikes: Tensor, state: dict[str, Tensor], threshold: Any) -> dict[str, Tensor]:
    """A reset that resets nothing."""
    return state


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_path, "_told", set())
    # the kernels first, whatever the order is today
    names = sorted(api.IMPLEMENTATIONS, key=lambda name: name == "reference")
    ways = {name: api.IMPLEMENTATIONS[name] for name in names}
    monkeypatch.setattr(api, "IMPLEMENTATIONS", ways)


@pytest.fixture
def notes() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def run(x: Tensor | None = None, **arguments: Any) -> Tensor:
    return lif(torch.rand(1, 4, 3) if x is None else x, alpha_mem=1.0, **arguments).spikes


def test_each_part_is_told_once(notes: list[warnings.WarningMessage]) -> None:
    for _ in range(3):
        run(surrogate=flat)
        run(reset=keep)
    assert [note.category for note in notes] == [SlowPathNote] * 2
    told = [str(note.message) for note in notes]
    assert told[0].startswith("lif: the surrogate flat is not built in")
    assert told[1].startswith("lif: the reset keep is not built in")
    for text in ("3 to 42 times", "nn.ReLU", "docs/adr/0009", "impl='reference'", "SlowPathNote"):
        assert text in told[0]
    assert notes[0].filename == __file__


def test_where_warnings_are_errors_each_call_says_it() -> None:
    for _ in range(2):
        with pytest.raises(SlowPathNote, match="flat"):
            run(surrogate=flat)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"surrogate": flat, "impl": "reference"},
        {"surrogate": flat, "record": True},
        {"surrogate": flat, "connect": torch.nn.Identity()},
    ],
    ids=["built in", "by name", "recording", "recurrent"],
)
def test_nothing_is_said_where_it_is_meant_or_not_the_cause(arguments: dict[str, Any]) -> None:
    run(**arguments)  # a note would be an error


def test_nothing_is_said_where_another_kernel_runs_the_part() -> None:
    ways = {
        "one": Implementation("one", lambda *_: CustomPart("the reset keep is not built in")),
        "two": Implementation("two", nothing_prevents),
        "reference": Implementation("reference", nothing_prevents),
    }
    run, _ = chosen(CheckedCurrent("lif", torch.rand(1, 4, 3)), "auto", ways, None)
    assert run == "two"


# torch's own, while dynamo traces an autograd function
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_a_traced_call_has_no_break_in_its_graph() -> None:
    torch.compiler.reset()

    @torch.compile(fullgraph=True, backend="eager")
    def compiled(x: Tensor) -> Tensor:
        return run(x, surrogate=flat)

    x = torch.rand(1, 4, 3)
    assert torch.equal(compiled(x), run(x, surrogate=flat, impl="reference"))


def test_every_part_of_ones_own_is_a_custom_part() -> None:
    for name in ("spike", "reset", "surrogate"):
        own = replace(LIF, **{name: object()})
        assert isinstance(unsupported_part(own), CustomPart)
    per_neuron = replace(LIF, reset=MembraneSubtract(torch.ones(3)))
    assert not isinstance(unsupported_part(per_neuron), CustomPart)
