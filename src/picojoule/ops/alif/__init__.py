"""Leaky integrate-and-fire whose threshold rises with its own spikes."""

from picojoule.ops.alif.api import alif
from picojoule.ops.alif.spec import ALIFOutput, ALIFSpec, ALIFState

__all__ = ["ALIFOutput", "ALIFSpec", "ALIFState", "alif"]
