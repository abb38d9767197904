"""Fused neurons on the CPU: one pass forward, one pass backward, compiled when first needed.

`plan` says what a call needs; `membrane`, `surrogates` and `sweeps` are the arithmetic; `compiled` makes
machine code of it and keeps that on disk; `threads` runs it; `op` joins it to autograd. `recurrent` does so
for a neuron that hears itself through a Linear (`ops/feedback.py` tells which), one of `steps` at a time. A process that
finds its kernels on disk never imports numba.
"""
