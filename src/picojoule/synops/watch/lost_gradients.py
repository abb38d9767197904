"""Where a forward pass with a graph runs parts without one, so that their counts have no gradient."""

from __future__ import annotations

import sys
from types import FrameType

import torch
from torch import nn


class LostGradients:
    """Notes, for one forward pass, the layers whose counts no loss can use."""

    def __init__(self) -> None:
        self._wanted = torch.is_grad_enabled()
        self._checkpointed: dict[str, None] = {}
        self._scripts: dict[str, None] = {}

    @property
    def may_come(self) -> bool:
        """Whether a call that is counted now could be such a layer's."""
        return self._wanted and not torch.is_grad_enabled()

    def see(self, name: str, module: nn.Module) -> None:
        """A call is counted."""
        if not self._wanted:
            return
        if isinstance(module, torch.jit.ScriptModule):
            self._scripts.setdefault(name)
        elif not torch.is_grad_enabled() and name not in self._checkpointed and _in_reentrant():
            self._checkpointed[name] = None

    def notes(self) -> dict[str, bool]:
        """Sentences, and whether to warn."""
        found = {}
        if self._checkpointed:
            found[
                f"layers {list(self._checkpointed)} ran inside checkpoint(use_reentrant=True), which runs them without "
                "a graph: their SynOps have no gradient. Pass use_reentrant=False."
            ] = True
        if self._scripts:
            found[
                f"{list(self._scripts)} ran as scripts, of which PyTorch makes one step of the graph once they are "
                "optimised: SynOps inside may have no gradient. Train the module that was scripted instead."
            ] = False
        return found


def _in_reentrant() -> bool:
    checkpoint = sys.modules.get("torch.utils.checkpoint")
    if checkpoint is None:
        return False
    code = checkpoint.CheckpointFunction.forward.__code__
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False
