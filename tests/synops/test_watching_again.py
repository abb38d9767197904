"""What is remembered of calls, and counted together, is what a look at each call finds: on random models, in a loop.

`witness="always"` looks at every call as if it were the first.
"""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor, reset_states
from picojoule.synops import MonitorWarning
from picojoule.synops.watch.effects import Effects
from picojoule.synops.watch.repeats import Repeat
from tests.synops.random_models.generate import random_model

pytestmark = pytest.mark.filterwarnings("ignore:(?!Monitor)")
STEPS, PASSES = 3, 3
FAST, ALL = 25, 625
OPTIONS: list[dict[str, Any]] = [
    {},
    {"weights": "nonzero"},
    {"convention": "sinabs"},
    {"inputs": "spikes"},
    {"inputs": "dense"},
]


class Loop(nn.Module):
    """A model that is called several times in one forward pass."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *steps: list[Tensor]) -> list[Tensor]:
        return [y for step in steps for y in self.model(*step)]


def steps_of(inputs: list[Tensor], seed: int) -> list[list[Tensor]]:
    """The same inputs with other values missing at each step."""
    torch.manual_seed(seed)
    return [[x * (torch.rand_like(x) < 0.7) for x in inputs] for _ in range(STEPS)]


def numbers(monitor: Monitor) -> dict[str, Any]:
    """All that a pass has entered, by name."""
    ledger = monitor.own_ledger
    found: dict[str, Any] = {}
    for name, line in ledger.lines.items():
        for what in ("synops", "macs", "dense", "biases"):
            found[f"{what} of {name}"] = torch.as_tensor(getattr(line, what), dtype=torch.float64)
    for name, rate in ledger.rates.items():
        found[f"rate of {name}"] = rate.per_step
    return found | {"updates": ledger.updates, "passes": ledger.passes, "kinds": ledger.kinds}


def watched(loop: Loop, passes: list[list[list[Tensor]]], **options: Any) -> list[Any]:
    """What each pass spends, what it gives, and the gradient of its SynOps."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonitorWarning)
        monitor = Monitor(loop, num_timesteps=STEPS, samples=2, **options)
        for number, steps in enumerate(passes):
            reset_states(loop)
            torch.manual_seed(number)
            with monitor:
                outputs = loop(*steps)
            total = monitor.synops.total
            gradients: Any = ()
            if total.requires_grad:
                parameters = [p for p in loop.parameters() if p.requires_grad]
                gradients = torch.autograd.grad(total, parameters, allow_unused=True)
            found.append((numbers(monitor), [y.detach() for y in outputs], gradients))
    return found


def differences(seed: int) -> list[str]:
    draft, model = random_model(seed)
    passes = [steps_of(draft.inputs, number) for number in range(PASSES)]
    options = OPTIONS[seed % len(OPTIONS)]
    with torch.set_grad_enabled(seed % 3 > 0):
        first = watched(copy.deepcopy(Loop(model)), passes, witness="always", **options)
        again = watched(Loop(model), passes, **options)
    wrong = []
    for number, (one, other) in enumerate(zip(first, again, strict=True)):
        for name in one[0].keys() | other[0].keys():
            if not same(one[0].get(name), other[0].get(name)):
                wrong.append(f"pass {number}, {name}: {one[0].get(name)}, {other[0].get(name)}")
        if not same(one[1], other[1]):
            wrong.append(f"pass {number}: the outputs differ")
        if not same(one[2], other[2]):
            wrong.append(f"pass {number}: the gradients differ")
    return wrong


def same(a: Any, b: Any) -> bool:
    """Equal, but for the order in which float64 numbers were added up."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@pytest.mark.parametrize("seed", range(FAST))
def test_a_call_that_was_seen_before_counts_as_it_did(seed: int) -> None:
    assert not differences(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FAST, ALL, 20))
def test_in_many_more_models(first: int) -> None:
    wrong = {seed: differences(seed) for seed in range(first, first + 20)}
    assert not {seed: lines for seed, lines in wrong.items() if lines}


def test_calls_are_remembered_and_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tests above: without this, both sides could have looked at each call."""
    seen = {"effects": 0, "calls": 0}
    get, add = Effects.get, Repeat.add

    def getting(self: Effects, key: Any) -> Any:
        found = get(self, key)
        seen["effects"] += found is not None
        return found

    def adding(self: Repeat, *args: Any) -> None:
        seen["calls"] += 1
        add(self, *args)

    monkeypatch.setattr(Effects, "get", getting)
    monkeypatch.setattr(Repeat, "add", adding)
    for seed in range(5):
        draft, model = random_model(seed)
        watched(Loop(model), [steps_of(draft.inputs, number) for number in range(PASSES)])
    assert seen["effects"] > 100
    assert seen["calls"] > 10
