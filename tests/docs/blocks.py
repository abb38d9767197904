"""The code blocks of README and the site, as they are written: which there are, and their commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^\s*(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")
_MADE_BY_THE_BUILD = ("docs/reference/generated", "docs/pictured")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        page: its file, from the root of the tree.
        line: of its fence, from 1 on.
        info: what stands behind the fence: a language, or a directive in braces with its arguments.
        text: what is within.
    """

    page: str
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_directive(self) -> bool:
        return self.info.startswith("{")

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command: one a line, but for those that a backslash goes on with."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def pages() -> list[Path]:
    """All that is written in Markdown."""
    found = [*ROOT.glob("*.md"), *ROOT.glob(".github/**/*.md")]
    for folder in ("docs", "src", "examples", "benchmarks", "tests"):
        found += (ROOT / folder).rglob("*.md")
    names = [path.relative_to(ROOT).as_posix() for path in found]
    return [ROOT / name for name in sorted(names) if not name.startswith(_MADE_BY_THE_BUILD)]


def blocks_of(page: str, text: str) -> list[Block]:
    """Its fenced blocks, those within colon fences, too."""
    found, lines = list[Block](), text.splitlines()
    number = 0
    while number < len(lines):
        begins = _FENCE.match(lines[number])
        start, number = number, number + 1
        if begins is None:
            continue
        while number < len(lines) and lines[number].strip() != begins["ticks"]:
            number += 1
        within = "\n".join(lines[start + 1 : number])
        found.append(Block(page, start + 1, begins["info"].strip(), within))
        number += 1
    return found


def all_blocks() -> list[Block]:
    return [
        block
        for page in pages()
        for block in blocks_of(page.relative_to(ROOT).as_posix(), page.read_text())
    ]


def commands_in_sentences() -> list[tuple[str, str]]:
    """Each `picojoule ...` within a sentence, with its page."""
    found = []
    for page in pages():
        prose = re.sub(r"^\s*(`{3,})[^`]*?^\s*\1\s*$", "", page.read_text(), flags=re.M | re.S)
        name = page.relative_to(ROOT).as_posix()
        found += [
            (name, " ".join(each.split())) for each in re.findall(r"`(picojoule [^`]+)`", prose)
        ]
    return found
