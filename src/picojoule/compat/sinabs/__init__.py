"""sinabs' names over Picojoule: scripts, pickled models and tests written for sinabs run as they are.

From the command line, in front of a script or a module:

    python -m picojoule.compat.sinabs script.py --its arguments
    python -m picojoule.compat.sinabs -m module

or :func:`install` at the top of a script. docs/compat.md lists every public name of sinabs 3.1.3 with
what is different and why.
"""

from __future__ import annotations

import sys
from types import ModuleType

from picojoule.compat.sinabs.batch_size import (
    keep_states_across_batch_sizes,
    start_other_batch_sizes_from_zeros,
)
from picojoule.compat.sinabs.finder import SinabsFinder, take_away
from picojoule.compat.sinabs.revive import (
    complete_revived_layers,
    take_revived_layers_as_they_are,
)
from picojoule.compat.sinabs.table import EXODUS, MODULES, SIGNED_SYNOPS

__all__ = ["install", "uninstall"]

_finder: SinabsFinder | None = None
_taken_away: dict[str, ModuleType] = {}


def install(*, signed_synops: bool = False) -> None:
    """Make `import sinabs`, and every module path of it, mean Picojoule in this process.

    A sinabs that was imported before is put aside; what the program already took from it stays what it
    is. Until :func:`uninstall`, two things hold for Picojoule's layers as well: whole models that sinabs
    pickled can be loaded, and LIF and IAF keep states when the batch size changes. A second call does
    nothing.

    Args:
        signed_synops: count SynOps as sinabs does where inputs are negative: with their sign, so that they
            cancel positive ones. To reproduce its numbers; otherwise magnitudes are counted.

    Example:
        >>> install()
        >>> import sinabs.layers
        >>> sinabs.layers.IAF.__module__
        'picojoule.layers.iaf'
        >>> uninstall()
    """
    global _finder
    if _finder is None:
        signed = SIGNED_SYNOPS if signed_synops else {}
        _finder = SinabsFinder({**MODULES, **EXODUS, **signed})
        sys.meta_path.insert(0, _finder)
        _taken_away.update(take_away({}))
        complete_revived_layers()
        keep_states_across_batch_sizes()


def uninstall() -> None:
    """Undo :func:`install`: `import sinabs` means what it meant before. Does nothing without it.

    Example:
        >>> uninstall()
    """
    global _finder
    if _finder is not None:
        sys.meta_path.remove(_finder)
        _finder = None
        take_away(dict(_taken_away))
        _taken_away.clear()
        take_revived_layers_as_they_are()
        start_other_batch_sizes_from_zeros()
