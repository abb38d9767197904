"""Fused neurons on the CPU: one pass forward, one pass backward, compiled when first needed.

`plan` says what a call needs, `membrane`, `surrogates` and `sweeps` are the arithmetic, `compiler`
makes machine code of it, `code_cache` keeps that on disk, `library` loads it, `threads` runs it and
`op` makes it an operator of PyTorch. numba is imported by the compiler alone, so a process that finds
its kernels on disk never imports it.
"""
