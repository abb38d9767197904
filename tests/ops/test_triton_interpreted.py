"""The tests of the Triton kernels without a GPU: interpreted, and compiled as far as machine code.

In processes of their own: whether kernels are interpreted is settled when Triton is imported, for a whole process.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from picojoule.ops import lif
from picojoule.ops.plan import Plan
from picojoule.ops.triton.availability import INSTALLED

ROOT = Path(__file__).resolve().parents[2]
FILES = tuple(f"tests/ops/test_{name}_triton.py" for name in ("lif", "alif", "recurrent"))
LEAST = {"not slow": 120, "slow": 1600}  # tests that run: fewer, and some are no longer found
needs_triton = pytest.mark.skipif(not INSTALLED, reason="triton is not installed")


def python(*arguments: str, **environment: str) -> str:
    paths = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    inherited = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def interpreted(kind: str) -> None:
    """Run the tests of that kind, and ask how many ran: all, but those of CUDA graphs."""
    told = python("-m", "pytest", "-p", "no:cacheprovider", "-m", kind, *FILES, TRITON_INTERPRET="1")  # fmt: skip
    selected, passed, skipped = (_number(told, word) for word in ("selected", "passed", "skipped"))
    assert skipped == len(re.findall("CUDA graphs need a GPU", told))
    assert passed == selected - skipped >= LEAST[kind]


def _number(told: str, word: str) -> int:
    """Of tests, as pytest says it: "90 selected", "88 passed"."""
    found = re.search(rf"(\d+) {word}", told)
    return 0 if found is None else int(found[1])


@needs_triton
def test_the_kernels_equal_the_reference() -> None:
    interpreted("not slow")


@needs_triton
@pytest.mark.slow
def test_the_kernels_equal_the_reference_in_every_configuration() -> None:
    interpreted("slow")


SIMPLE = Plan(False, False, False, False, False, "multi", False, "threshold", "SingleExponential")
NEVER_FIRES = Plan(True, True, True, True, False, "none", False, "none", "none")
EVERYTHING = Plan(True, True, True, True, True, "multi", True, "value", "MultiGaussian")


@needs_triton
@pytest.mark.parametrize(
    ("plan", "parameters", "dtype"),
    [
        (SIMPLE, "numbers", "bfloat16"),
        (EVERYTHING, "tensors", "float32"),
        pytest.param(NEVER_FIRES, "numbers", "float32", marks=pytest.mark.slow),
        pytest.param(NEVER_FIRES, "tensors", "bfloat16", marks=pytest.mark.slow),
        pytest.param(EVERYTHING, "numbers", "bfloat16", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_machine_code_is_exact_and_wide(
    plan: Plan, parameters: str, dtype: str, tmp_path: Path
) -> None:
    program = "tests/ops/triton/machine_code.py"
    told = python(program, str(plan), dtype, "32", parameters, TRITON_CACHE_DIR=str(tmp_path))
    found: dict[str, list[dict[str, Any]]] = json.loads(told)
    assert len(found) == 4
    for name, kernel in ((name, kernel) for name, made in found.items() for kernel in made):
        assert kernel["fused"] == 0  # a fused multiplication and addition would round once
        # a step back needs the number of spikes only for the gradient of what one costs
        counts = plan.spike == "multi" and not (name == "backward_step_kernel" and plan == SIMPLE)
        assert (kernel["exact_divisions"] > 0) == counts
        assert kernel["offsets"] == ["i64"]  # past 2**31 elements
        assert kernel["local"] == 0  # registers alone
        one_neuron = "ld.global.b32" if dtype == "float32" else "ld.global.b16"
        assert one_neuron not in kernel["loads"]  # two neurons a thread in one load


@pytest.mark.skipif(INSTALLED, reason="triton is installed")
def test_without_triton_it_is_refused() -> None:
    import torch

    with pytest.raises(ValueError, match="impl='triton' cannot run this call: triton is not inst"):
        lif(torch.rand(1, 2, 3), alpha_mem=1.0, impl="triton")


ON_THE_CPU = """
import sys, torch
from picojoule.ops import lif
lif(torch.rand(1, 2, 3), alpha_mem=1.0)
print("picojoule.ops.triton.kernels" in sys.modules)
try:
    lif(torch.rand(1, 2, 3), alpha_mem=1.0, impl="triton")
except ValueError as error:
    print(error)
"""


@needs_triton
def test_on_the_cpu_it_is_not_chosen_and_refused() -> None:
    chosen, refused = python("-c", ON_THE_CPU).splitlines()
    assert chosen == "False"
    assert "the input is on the CPU, where Triton only runs interpreted" in refused
