"""Neuron recurrences as pure functions: state in, state out."""

from picojoule.ops.lif import LIFOutput, LIFState, lif

__all__ = ["LIFOutput", "LIFState", "lif"]
