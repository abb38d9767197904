"""Every public name has its page in the reference, or the build fails; other paths to it lead there."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

API = Path(__file__).parents[2] / "tests" / "api.txt"  # a test holds it against the code
_ENTRY = re.compile(r"(?: {3}|\.\. py:data:: )(\w+)$")  # a line of an autosummary, or data by hand


def listed(reference: Path) -> set[str]:
    """The names in the tables of the reference's pages, and their modules."""
    names: set[str] = set()
    for page in reference.glob("*.md"):
        current = ""
        for line in page.read_text().splitlines():
            if found := re.match(r"\.\. (?:auto|current)module:: (\S+)", line):
                current = found[1]
                names |= {current} - {"picojoule"}
            elif current and (entry := _ENTRY.match(line)):
                names.add(f"{current}.{entry[1]}")
    return names


def missing(reference: Path) -> list[str]:
    """Public names that no page lists, neither there nor where else they are public."""
    pages = listed(reference)
    values = {id(_value(name)) for name in pages}
    return [name for name in public() if name not in pages and id(_value(name)) not in values]


def public() -> list[str]:
    """All public names, with their modules."""
    return [name for name in API.read_text().split() if name != "picojoule.__version__"]


def _value(path: str) -> object:
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


@cache
def _pages_by_value(reference: Path) -> dict[int, str]:
    return {id(_value(name)): name for name in listed(reference)}


def _page_of(path: str, reference: Path) -> str | None:
    """The name under which the reference has what stands at this path, or a member of it."""
    owner, _, member = path.rpartition(".")
    try:
        value = _value(path)
    except (ImportError, AttributeError):
        page = _page_of(owner, reference) if owner.count(".") else None
        return page and f"{page}.{member}"
    return _pages_by_value(reference).get(id(value))


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.Element
) -> nodes.reference | None:
    if node.get("refdomain") != "py" or not node["reftarget"].startswith("picojoule."):
        return None
    page = _page_of(node["reftarget"], Path(app.srcdir) / "reference")
    if page is None or page == node["reftarget"]:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", page, node, shown)


def _check(app: Sphinx) -> None:
    if names := missing(Path(app.srcdir) / "reference"):
        raise ExtensionError(
            f"public names without a page: {', '.join(names)}. List each in the autosummary of its"
            " module's page in docs/reference/."
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Checked before anything is read."""
    app.connect("builder-inited", _check)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
