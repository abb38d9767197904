"""Every public name has its page in the reference, or the build fails; other paths to it lead there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docutils import nodes
from reference_pages import listed, missing, value_of
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError


@cache
def _pages_by_value(reference: Path) -> dict[int, str]:
    return {id(value_of(name)): name for name in listed(reference)}


def _page_of(path: str, reference: Path) -> str | None:
    """The name under which the reference has what stands at this path, or a member of it."""
    owner, _, member = path.rpartition(".")
    try:
        value = value_of(path)
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
