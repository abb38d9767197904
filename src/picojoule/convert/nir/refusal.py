"""The one way to say that NIR cannot carry something."""

from __future__ import annotations


def not_carried(where: str, layer: object, attribute: str, instead: str) -> NotImplementedError:
    """An error that names the layer, the attribute and the way out."""
    return NotImplementedError(
        f"to_nir: layer {where!r} ({type(layer).__name__}) has {attribute}, which NIR cannot carry. "
        f"{instead}"
    )
