"""Fused neurons on the CPU: one pass forward, one pass backward, compiled when first needed.

`neuron` says whether the kernels can run a call, and runs it. `membrane`, `gradient` and `surrogates` are the
arithmetic of a step, in the formats of `numbers`; `forward` and `backward` are the passes. `compiled` makes machine code
of a pass and keeps it on disk, `threads` runs it, `op` joins it to autograd, and `direct` goes past PyTorch's dispatcher.
`recurrent` is for a neuron that hears itself through a Linear (`ops/feedback.py` tells which): it runs `steps` one at a
time. A process that finds its kernels on disk never imports numba.
"""
