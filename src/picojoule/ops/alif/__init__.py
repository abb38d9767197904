"""Leaky integrate-and-fire whose threshold rises with its own spikes."""

from picojoule.ops.alif.api import alif
from picojoule.ops.alif.output import ALIFOutput, ALIFState

__all__ = ["ALIFOutput", "ALIFState", "alif"]
