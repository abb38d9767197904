"""Leaky integrate-and-fire; integrate-and-fire is the case ``alpha_mem = 1``."""

from picojoule.ops.lif.api import lif
from picojoule.ops.lif.output import LIFOutput, LIFState

__all__ = ["LIFOutput", "LIFState", "lif"]
