"""No module of the package imports, directly or through others, a module that imports it.

The graph is read from the source, with imports inside functions, which circles hide behind. Imports for type
checkers alone count, too: who needs another's type knows it. An import of a package is one of its `__init__`; that
Python runs the `__init__` of the packages around a module is no import of these.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import picojoule

ROOT = Path(picojoule.__file__).parent


def name_of(path: Path, root: Path) -> str:
    """The module's dotted name; of an `__init__.py`, the package's."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """Modules that a source imports, wherever the statement stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not followed here"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules else node.module or ""


def graph_of(root: Path) -> dict[str, set[str]]:
    sources = {name_of(path, root): path for path in root.rglob("*.py")}
    return {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")), {*sources}))
        & {*sources} - {name}
        for name, path in sources.items()
    }


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle, each importing the next, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])[::-1]
    return []


def test_a_circle_through_an_import_inside_a_function_is_found(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    (package / "low").mkdir(parents=True)
    (package / "__init__.py").write_text("from pack.high import f\n")
    (package / "high.py").write_text("from pack.low import one\n")
    (package / "low" / "__init__.py").write_text("from pack.low.deep import one\n")
    (package / "low" / "deep.py").write_text("def one():\n    return 1\n")
    assert circle_in(graph_of(package)) == []

    (package / "low" / "deep.py").write_text(
        "def one():\n    from pack import high\n    return high\n"
    )
    found = circle_in(graph_of(package))
    assert {*found} == {"pack.high", "pack.low", "pack.low.deep"}


def test_no_module_imports_itself_through_others() -> None:
    graph = graph_of(ROOT)
    assert {"picojoule.report.record", "picojoule.report.document"} <= {*graph}
    assert "picojoule.report.record" in graph["picojoule.report.document"]
    assert circle_in(graph) == []
