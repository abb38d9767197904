"""Fused neurons on the GPU, in Triton: one pass forward, one pass backward, time inside.

`call` says what a call needs; `membrane`, `surrogates`, `gradient` and `kernels` are the arithmetic; `op` joins it to
PyTorch as `torch.ops.picojoule.neuron_forward` and `neuron_backward`; `availability` tells where it can run.
`recurrent` and `step_kernels` are for a neuron fed back through a Linear, a matrix product and a kernel a step.
Triton is imported with `kernels`, so at the first call. Why it is built this way: docs/adr/0011 and 0015.
"""
