"""Neuron recurrences as pure functions: state in, state out."""

from picojoule.ops.alif import ALIFOutput, ALIFState, alif
from picojoule.ops.lif import LIFOutput, LIFState, lif

__all__ = ["ALIFOutput", "ALIFState", "LIFOutput", "LIFState", "alif", "lif"]
