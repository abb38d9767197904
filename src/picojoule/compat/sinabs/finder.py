"""How `import sinabs` comes to mean Picojoule: a meta path finder over the table."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from picojoule.compat.sinabs.exodus import note

HARDWARE = "sinabs.backend"
EXODUS = "sinabs.exodus"

Table = dict[str, dict[str, str]]


class _Loader:
    """Fills a module with the objects that the table names."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create_module(self, spec: ModuleSpec) -> None:
        """None: an ordinary, empty module."""

    def exec_module(self, module: ModuleType) -> None:
        path = module.__name__
        if path == EXODUS:
            note()
        module.__doc__ = f"{path}, by Picojoule (docs/compat.md)."
        for name, place in self._table[path].items():
            setattr(module, name, resolve(place))
        for inner in self._table:
            # a package of its own, which `import sinabs` does not bring along
            if inner.rpartition(".")[0] == path and inner != EXODUS:
                importlib.import_module(inner)


class SinabsFinder:
    """Answers for `sinabs` and everything below it; hardware modules are errors.

    Args:
        table: the place of each name, by module.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of sinabs; None leaves the name to others."""
        if fullname == HARDWARE or fullname.startswith(HARDWARE + "."):
            raise ModuleNotFoundError(
                f"{fullname}: Picojoule stands for sinabs here and has no hardware backend: those modules "
                "drive SynSense's chips through samna, which is closed. Run this script with sinabs "
                "itself; picojoule.to_nir(model, data) carries a network there.",
                name=fullname,
            )
        if fullname.startswith(EXODUS + ".") and fullname not in self._table:
            raise ModuleNotFoundError(
                f"{fullname}: Picojoule stands for sinabs-exodus here and has its layers and conversions, not its "
                "CUDA kernels. Call picojoule.ops.lif, or a layer, in its place.",
                name=fullname,
            )
        if fullname not in self._table:
            return None
        is_package = any(inner.startswith(fullname + ".") for inner in self._table)
        loader: Any = _Loader(self._table)  # a loader by duck typing, as importlib allows
        return ModuleSpec(fullname, loader, origin="picojoule.compat", is_package=is_package)


def resolve(place: str) -> Any:
    """The object at `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def take_away(modules: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Remove sinabs and all below it from `sys.modules`, put `modules` in its place, return the removed."""
    ours = [name for name in sys.modules if name == "sinabs" or name.startswith("sinabs.")]
    removed = {name: sys.modules.pop(name) for name in ours}
    sys.modules.update(modules)
    return removed
