"""The notebook that a page offers for download has its outputs, also where they come from the cache.

myst-nb 1.4 writes the notebook that it was given, and merges what is cached into a copy of it.
"""

from __future__ import annotations

from typing import Any

from jupyter_client.manager import KernelManager
from myst_nb.core.execute.cache import NotebookClientCache
from sphinx.application import Sphinx

_start = NotebookClientCache.start_client


def _start_and_keep(client: NotebookClientCache) -> None:
    """Run the cells, or take their outputs from the cache; the notebook that was given has them then."""
    given = client._notebook
    _start(client)
    given["cells"] = client._notebook["cells"]


def setup(app: Sphinx) -> dict[str, Any]:
    """In place of myst-nb's own."""
    NotebookClientCache.start_client = _start_and_keep  # type: ignore[method-assign]
    # kernels talk to the build by TCP, in the clear by default, of which each warns
    KernelManager.transport_encryption.default_value = "auto"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
