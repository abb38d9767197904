"""A file of more than 250 lines says in its head why: `# More than 250 lines: ...` behind its docstring."""

import re
from pathlib import Path

import picojoule

ROOT = Path(picojoule.__file__).parent
MOST = 250
REASON = re.compile(r"^# More than 250 lines: \w.{20,}\.$", re.MULTILINE)


def unexplained(root: Path) -> list[str]:
    """Files that are longer, and do not say why before their first import."""
    found = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        head = re.split(r"^(?:from|import) ", text, maxsplit=1, flags=re.MULTILINE)[0]
        if len(text.splitlines()) > MOST and not REASON.search(head):
            found.append(path.relative_to(root).as_posix())
    return found


def test_what_is_long_without_a_reason_is_found(tmp_path: Path) -> None:
    body = "import os\n" + "x = 1\n" * MOST
    why = "# More than 250 lines: it is a table of one row a line.\n"
    (tmp_path / "short.py").write_text("x = 1\n" * MOST)
    (tmp_path / "long.py").write_text(body)
    (tmp_path / "too_late.py").write_text(body + why)
    (tmp_path / "explained.py").write_text(f'"""A table."""\n\n{why}\n{body}')
    assert unexplained(tmp_path) == ["long.py", "too_late.py"]


def test_every_long_file_says_why() -> None:
    assert unexplained(ROOT) == []
