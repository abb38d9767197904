"""A document in each of the languages a report is written in."""

from picojoule.report.rendering.html import html
from picojoule.report.rendering.latex import latex
from picojoule.report.rendering.markdown import markdown
from picojoule.report.rendering.text import text

__all__ = ["html", "latex", "markdown", "text"]
