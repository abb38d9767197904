"""Telling a user, once, that a part of their own keeps a neuron from the fused kernels."""

from __future__ import annotations

import warnings

import torch

# over nn.ReLU on the same tensor, forward and backward: the ranges of the table in docs/adr/0009
REFERENCE_COST = "3 to 42"
FUSED_COST = "1 to 2.3"
_told: set[str] = set()


class SlowPathNote(UserWarning):
    """A call runs in plain PyTorch because a spike function, reset or surrogate is not built in.

    The results are right; the fused kernels, which know the built-in parts alone, would take less
    time. Said once a process for each part. To say that it is meant, pass impl="reference" (on a
    layer: set its attribute `impl`), or ignore this category as any warning.

    Example:
        >>> import warnings
        >>> warnings.filterwarnings("ignore", category=SlowPathNote)
    """


class CustomPart(str):
    """The reason why an implementation cannot run a call: a part that is the user's own."""

    __slots__ = ()


def note_slow_path(op: str, reason: CustomPart) -> None:
    """Issue the note unless it has been; not while a call is traced, where it would break the graph."""
    if torch.compiler.is_compiling() or reason in _told:
        return
    warnings.warn(
        f"{op}: {reason}, so this runs in plain PyTorch. Forward and backward then take {REFERENCE_COST} "
        f"times what nn.ReLU takes on the same tensor, the fused kernels {FUSED_COST} times "
        "(docs/adr/0009-cpu-kernels.md). Take a built-in part to avoid that; or say that it is meant with "
        "impl='reference' (a layer's attribute impl), or silence this with "
        "warnings.filterwarnings('ignore', category=picojoule.SlowPathNote). It is said once.",
        SlowPathNote,
        stacklevel=5,  # where the op is called
    )
    _told.add(reason)  # not before: where warnings are errors, the next call should say the same
