"""Where the parameters and constants of a kernel are: the numbers of `ops/plan.py`, for Triton to read."""

from __future__ import annotations

import triton.language as tl

from picojoule.ops import plan

COUNT = tl.constexpr(len(plan.PARAMETERS))
ALPHA_MEM = tl.constexpr(plan.ALPHA_MEM)
GAIN_MEM = tl.constexpr(plan.GAIN_MEM)
ALPHA_SYN = tl.constexpr(plan.ALPHA_SYN)
MIN_V_MEM = tl.constexpr(plan.MIN_V_MEM)
THRESHOLD = tl.constexpr(plan.THRESHOLD)
COST = tl.constexpr(plan.COST)
ADAPT_SCALE = tl.constexpr(plan.ADAPT_SCALE)
ALPHA_ADAPT = tl.constexpr(plan.ALPHA_ADAPT)
GAIN_ADAPT = tl.constexpr(plan.GAIN_ADAPT)

LIMIT = tl.constexpr(plan.LIMIT)
RESET_VALUE = tl.constexpr(plan.RESET_VALUE)
