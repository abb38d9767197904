"""Every function that PyTorch lets one override has a formula, a rule, or a reason to have none."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import get_testing_overrides

from picojoule.synops.formulas import FORMULAS
from picojoule.synops.watch.rules import registry, rule_of
from tests.synops.enumeration.decided import DECIDED

pytestmark = pytest.mark.filterwarnings("ignore")  # of names that PyTorch gives up


def test_every_function_of_pytorch_is_decided() -> None:
    unknown = {name(f) for f in get_testing_overrides() if f not in FORMULAS and rule_of(f) is None}
    assert not unknown - DECIDED, (
        f"PyTorch has functions that nobody has decided about: {sorted(unknown - DECIDED)}. If they multiply by weights "
        "they need a formula (picojoule/synops/formulas); if they keep values whole, move or select them, their names "
        "belong above a rule in picojoule/synops/watch/rules; else enter them in decided.py under the reason."
    )


def test_what_has_a_rule_is_not_said_to_have_none() -> None:
    with_rule = {name(f) for f in get_testing_overrides() if rule_of(f) is not None}
    # Tensor.name, nn.init.name and torch.distributed's are other functions of the same name
    others = {"normal", "set", "rand", "uniform", "gather", "scatter", "index", "float", "to_dense"}
    assert with_rule & DECIDED <= others


def test_every_name_above_a_rule_is_a_function_of_pytorch() -> None:
    spaces = (*registry._SPACES, torch.ops.aten)
    of_any = {
        n
        for n in registry._rules
        if any(hasattr(s, f) for s in spaces for f in (n, f"{n}_", f"linalg_{n}"))
    }
    assert of_any == set(registry._rules)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.add, Tensor.add_),
        (torch.add, torch.ops.aten.add.Tensor),
        (Tensor.__iadd__, torch.ops.aten.add_),
        (Tensor.T.__get__, torch.ops.aten.t.default),
        (torch.special.round, torch.ops.aten.round.decimals),
        (torch.linalg.cross, torch.ops.aten.linalg_cross.default),
        (F.avg_pool2d, torch.ops.aten.avg_pool2d.default),
        (F.adaptive_avg_pool2d, torch.ops.aten._adaptive_avg_pool2d.default),
        (F.max_pool2d, torch.ops.aten.max_pool2d_with_indices),
        (F.fold, torch.ops.aten.sum.dim_IntList),
        (torch.expand_copy, torch.ops.aten.expand_copy.default),
        (Tensor.data.__get__, torch.ops.aten._to_copy.default),
    ],
)
def test_all_spellings_have_one_rule(one: Callable[..., Any], other: Any) -> None:
    assert rule_of(one) is rule_of(other) is not None


def test_operators_of_others_have_no_rule_by_their_name() -> None:
    assert rule_of(torch.ops.quantized.add) is None


def name(function: Any) -> str:
    """Its name, without the underscores of methods and functions in place."""
    own = getattr(function, "__name__", "prop")
    if own in ("__get__", "__set__", "__delete__"):
        return f"p:{getattr(function.__self__, '__name__', 'prop')}"
    return own.strip("_")
