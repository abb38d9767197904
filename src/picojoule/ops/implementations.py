"""The implementations of a neuron, by the names that `impl` takes."""

from __future__ import annotations

from picojoule.ops.cpu.neuron import run_on_cpu, what_prevents_cpu_kernels
from picojoule.ops.dispatch import Implementation, nothing_prevents
from picojoule.ops.reference import run_reference
from picojoule.ops.triton.neuron import run_in_triton, what_prevents_triton_kernels

# "auto" takes the first that can run a call
IMPLEMENTATIONS = {
    "triton": Implementation(
        run_in_triton, what_prevents_triton_kernels, casts=True, auto_on="cuda"
    ),
    "cpu": Implementation(run_on_cpu, what_prevents_cpu_kernels, casts=True),
    "reference": Implementation(run_reference, nothing_prevents),
}
