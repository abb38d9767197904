"""Which implementation a call gets, and in which dtype it is handed the current."""

import pytest
import torch

from picojoule.ops.checks import CheckedCurrent
from picojoule.ops.dispatch import Implementation, chosen, nothing_prevents


def refuses(current: torch.Tensor, spec: object) -> str:
    return "it is new moon"


KNOWN = {
    "refusing": Implementation("refusing", refuses),
    "there": Implementation("there", nothing_prevents, casts=True, auto_on="meta"),
    "anywhere": Implementation("anywhere", nothing_prevents),
}


@pytest.mark.parametrize(
    ("impl", "device", "name", "dtype"),
    [
        ("auto", "cpu", "anywhere", torch.float32),
        ("auto", "meta", "there", torch.bfloat16),
        ("there", "cpu", "there", torch.bfloat16),
        ("anywhere", "meta", "anywhere", torch.float32),
    ],
)
def test_auto_is_the_first_that_can_run_there(
    impl: str, device: str, name: str, dtype: torch.dtype
) -> None:
    call = CheckedCurrent("lif", torch.zeros(1, 2, 3, dtype=torch.bfloat16, device=device))
    run, current = chosen(call, impl, KNOWN, None)
    assert (run, current.dtype) == (name, dtype)


def test_a_named_one_never_falls_back() -> None:
    with pytest.raises(ValueError, match="impl='refusing' cannot run this call: it is new moon"):
        chosen(CheckedCurrent("lif", torch.zeros(1, 2, 3)), "refusing", KNOWN, None)
