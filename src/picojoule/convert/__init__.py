"""From one kind of network to another."""

from picojoule.convert.nir import from_nir, to_nir

__all__ = ["from_nir", "to_nir"]
