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
                try:
                    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
                except RuntimeError as error:
                    if "is not implemented" not in str(error):  # heaviside has no derivative
                        raise
                    gradients = [str(error)]
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
        wrong += [
            f"pass {number}, {name}: {one[0].get(name)}, {other[0].get(name)}"
            for name in one[0].keys() | other[0].keys()
            if not same(one[0].get(name), other[0].get(name))
        ]
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


class LoopOverTime(nn.Module):
    """One layer of weights, called once a step with what `change` makes of its weight or input."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2, bias=False)
        self.register_buffer("masks", torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]))
        self.change = change

    def forward(self, steps: Tensor) -> list[Tensor]:
        return [self.change(self, number, x) for number, x in enumerate(steps)]


def synops_of(change: Any, steps: Tensor, **options: Any) -> float:
    """SynOps of the second pass of a loop, whose first pass was another one's."""
    model = LoopOverTime(change)
    nn.init.ones_(model.fc.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonitorWarning)
        monitor = Monitor(model, num_timesteps=len(steps), samples=1, **options)
        for given in (steps.flip(0), steps):
            with monitor:
                model(given)
    counts = monitor.synops
    return counts.total.item() * counts.sample_steps


# graded spikes; a power of two, so that means are exact
EIGHT_STEPS = torch.arange(24.0).reshape(8, 1, 3) % 4


def test_pruned_weights_that_differ_from_step_to_step() -> None:
    """Both masks have the same shape and come from the same weight; a spike reaches 2 neurons through each synapse."""

    def masked(model: Any, step: int, x: Tensor) -> Tensor:
        return nn.functional.linear(x, model.fc.weight * model.masks[step % 2])

    expected = sum(
        2 * x[0, :1].sum() if step % 2 == 0 else 2 * x[0, :2].sum()
        for step, x in enumerate(EIGHT_STEPS)
    )
    assert synops_of(masked, EIGHT_STEPS, weights="nonzero") == float(expected)


def test_values_that_are_whole_at_some_steps_only() -> None:
    """What a step is given is judged for itself: of the halves, none is a spike."""

    def halved(model: Any, step: int, x: Tensor) -> Tensor:
        return model.fc(torch.from_numpy((x * (0.5 if step % 2 else 1)).numpy()))

    whole = [x for step, x in enumerate(EIGHT_STEPS) if step % 2 == 0 or not (x % 2).any()]
    assert synops_of(halved, EIGHT_STEPS) == 2 * float(torch.stack(whole).sum())


def test_spikes_that_are_changed_in_place_after_they_were_counted() -> None:
    def emptied(model: Any, _: int, x: Tensor) -> Tensor:
        spikes = x.clone()
        with torch.no_grad():
            y = model.fc(spikes)
            spikes.zero_()
        return y

    assert synops_of(emptied, EIGHT_STEPS) == 2 * float(EIGHT_STEPS.sum())


def test_many_steps_are_added_up_without_a_loss() -> None:
    steps = torch.ones(101, 1, 3)
    assert synops_of(lambda model, _, x: model.fc(x), steps) == 101 * 3 * 2


def test_a_model_with_other_parameters_is_looked_at_anew() -> None:
    """A parameter in place of another may have its id, but is no weight of the same calls."""
    model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 2, bias=False))
    monitor, x = Monitor(model, num_timesteps=1), torch.ones(1, 3)
    found = []
    for outputs in (2, 5, 2):
        model[0] = nn.Linear(3, outputs, bias=False)
        model[1] = nn.Linear(outputs, 2, bias=False)
        with monitor:
            model(x)
        found.append(monitor.synops["0"].item())
    assert found == [6.0, 15.0, 6.0]
