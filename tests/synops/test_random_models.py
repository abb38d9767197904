"""Random models against a float64 interpreter of the same graph: each node's SynOps and MACs are right, or an error says why not.

A quarter of the models has nodes that hide their functions (`random_models/opaque.py`); only these may end in an error.
"""

from collections import Counter
from typing import Any

import pytest
import torch

from tests.synops.random_models.generate import counted, random_model, wrong_numbers
from tests.synops.random_models.opaque import OPAQUE

pytestmark = pytest.mark.filterwarnings("ignore:(?!Monitor)")  # PyTorch's, of scripts and so on
FAST, ALL = 60, 1000
OPTIONS: list[dict[str, Any]] = [
    {},
    {"conventions": True},
    {"detail": ("sample", "step", "channel")},
]


def opaque_kinds(seed: int) -> list[str]:
    """Of every fourth model, in turn."""
    names = list(OPAQUE)
    return [names[seed // 4 % len(names)]] * 25 if seed % 4 == 3 else []


def check(seed: int) -> None:
    draft, model = random_model(seed, opaque_kinds(seed))
    try:
        with torch.set_grad_enabled(seed % 2 == 0):
            found, outputs = counted(model, draft.inputs, **OPTIONS[seed % 3])
    except NotImplementedError as error:
        hidden = set(draft.kinds) & OPAQUE.keys()
        wrong = [] if hidden and str(error).startswith("Monitor:") else [str(error)]
    else:
        wrong = wrong_numbers(draft, found, outputs)
    assert not wrong, f"seed {seed}: " + "\n".join(wrong)


@pytest.mark.parametrize("seed", range(FAST))
def test_each_node_spends_what_the_interpreter_says(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FAST, ALL, 20))
def test_each_node_of_many_more_models(first: int) -> None:
    failures = []
    for seed in range(first, min(first + 20, ALL)):
        try:
            check(seed)
        except (AssertionError, RuntimeError) as error:  # the other seeds are tried, too
            failures.append(f"seed {seed}: {error}"[:500])
    assert not failures, "\n".join(failures)


def test_models_are_of_all_kinds_and_alive() -> None:
    """Of the generator itself: models of dense values alone would prove nothing."""
    kinds: Counter[str] = Counter()
    units: Counter[str] = Counter()
    spiking = dense = 0
    for seed in range(100):
        draft, _ = random_model(seed)
        kinds.update(draft.kinds)
        units.update(str(x.same) for x in draft.values if x.spikes)
        spiking += sum(synops > 0 for synops, _ in draft.spent.values())
        dense += sum(macs > 0 for _, macs in draft.spent.values())
    assert len(kinds) >= 40
    assert min(units[same] for same in ("one", "learned", "map")) >= 8
    assert min(spiking, dense) >= 80


def test_a_wrong_number_is_found() -> None:
    draft, model = random_model(2)
    found, outputs = counted(model, draft.inputs)
    assert not wrong_numbers(draft, dict(found), outputs)
    node = next(name for name, (synops, _) in draft.spent.items() if synops > 0)
    draft.spent[node] = (draft.spent[node][0] + 1, draft.spent[node][1])
    (wrong,) = wrong_numbers(draft, dict(found), outputs)
    assert wrong.startswith(f"{node} ")
