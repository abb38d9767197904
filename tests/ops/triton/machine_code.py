"""A program: compiles all kernels as a launch on a GPU would, which needs none, and prints what came out."""

import json
import re
import sys
from types import SimpleNamespace
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from picojoule.ops.plan import CONSTANTS, PARAMETERS, plan_from
from picojoule.ops.triton import op, recurrent
from picojoule.ops.triton.parameters import NUMBER, UNUSED

HOPPER = SimpleNamespace(
    get_current_device=lambda: 0,
    get_current_stream=lambda _device: 0,
    get_current_target=lambda: GPUTarget("cuda", 90, 32),
)


class Compiled:
    """In a kernel's place: takes the same launch, keeps what was compiled for it."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.made: list[Any] = []

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        def launch(*arguments: Any, **options: Any) -> None:
            self.made.append(self.kernel.warmup(*arguments, grid=grid, **options))

        return launch


def run(plan: str, dtype: torch.dtype, neurons: int, matrix: bool) -> dict[str, Compiled]:
    """All operators on the CPU: tensors are made, kernels compiled, nothing runs."""
    from picojoule.ops.triton import kernels, step_kernels

    made = {}
    for module, kind in ((kernels, "kernel"), (step_kernels, "step_kernel")):
        for name in (f"forward_{kind}", f"backward_{kind}"):
            made[name] = Compiled(getattr(module, name))
            setattr(module, name, made[name])
    parts = plan_from(plan)
    present = parts.parameters
    rows = [present.index(name) if matrix and name in present else NUMBER if name in present else UNUSED for name in PARAMETERS]  # fmt: skip
    call = (plan, rows, [0.5] * len(PARAMETERS), [0.5] * CONSTANTS)
    x, state = torch.zeros(2, 9, neurons, dtype=dtype), torch.zeros(2, neurons)
    p = torch.zeros(len(present) if matrix else 0, neurons)
    i, b = (state if there else None for there in (parts.synaptic, parts.adaptive))
    outputs = op.neuron_forward(x, state, i, b, p, *call, True)
    op.neuron_backward(x, outputs[4], p, x, None, None, None, *call, matrix)
    weight = torch.zeros(neurons, neurons, dtype=dtype)
    outputs = recurrent.recurrent_forward(x, state, i, b, state, p, weight, weight[0], *call, True)
    back = (x, None, None, None, None, *call, matrix, True)
    recurrent.recurrent_backward(outputs[5], state, i, b, p, weight, *back)
    return made


def found_in(made: Any) -> dict[str, Any]:
    ptx, addition = made.asm["ptx"], r"tt\.addptr %\S+, %\S+ : tensor<\S+>, tensor<\d+x(i\d+)>"
    return {
        "fused": len(re.findall(r"\bfma\.rn\S*\.f32", ptx)),
        "exact_divisions": len(re.findall(r"\bdiv\.rn\.f32", ptx)),
        "loads": sorted(set(re.findall(r"\bld\.global\S*", ptx))),
        "offsets": sorted(set(re.findall(addition, made.asm["ttir"]))),
        "local": len(re.findall(r"\b(?:st|ld)\.local", ptx)),
        "cubin": len(made.asm["cubin"]),
    }


if __name__ == "__main__":
    plan, dtype, neurons, parameters = sys.argv[1:]
    driver.set_active(HOPPER)
    kernels = run(plan, getattr(torch, dtype), int(neurons), parameters == "tensors")
    found = {name: [found_in(made) for made in kernel.made] for name, kernel in kernels.items()}
    print(json.dumps(found))
