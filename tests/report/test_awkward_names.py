"""Names that others chose reach a reader as they are, whatever they look like to a renderer."""

import html.parser
import json
import re
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from picojoule import Budget, Monitor, Report
from picojoule.budget import BudgetWarning
from picojoule.energy import profile
from picojoule.layers import IAF
from picojoule.plots import plot_raster, plot_rates
from picojoule.plots.canvas import plain
from picojoule.report import Row
from picojoule.report.rendering.words import one_line, width
from tests.report.reports import AWKWARD, written

NAMES = {
    "rich": "[/x]",
    "star": "*all",
    "pipe": "a|b",
    "latex": r"a_b & 50% #1 {c} ^d ~e",
    "backslash": r"C:\new\table",
    "html": "<b>&amp;</b>",
    "maths": "$x$ and $",
    "quotes": "'one' \"two\" `three`",
    "dashes": "a--b---c",
    "line break": "first\nsecond\r\nthird",
    "control": "\x1b[31mred\x00\x07",
    "backwards": "abc\u202edef",
    "non-ASCII": "\u00fcberma\u00df \u5c64 e\u0301",
    "half a letter": "\ud800",
    "a row in LaTeX": "x \\\\ \\end{tabular}",
    "a row in Markdown": "x |\n| y",
}
every_name = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())


def report_of(name: str) -> Report:
    """A layer, a neuron, a model and a warning of that name."""
    rows = tuple(replace(row, name=f"{name}.{i}") for i, row in enumerate(AWKWARD.rows))
    return replace(AWKWARD, model=name, rows=(*rows, *AWKWARD.rows), warnings=(f"{name!s} is odd",))


@every_name
def test_text_keeps_its_lines_and_columns(name: str) -> None:
    plain, odd = (report_of(each).to_text(profile="loihi") for each in ("plain", name))
    assert len(odd.splitlines()) == len(plain.splitlines())
    assert all(character.isprintable() for line in odd.split("\n") for character in line)
    assert f"{one_line(name)}.0" in odd
    lines = odd.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("layer"))
    # both end in the last column
    whole = [width(line) for line in (lines[start], lines[start + 2])]
    assert whole[0] == whole[1]
    odd.encode()


@every_name
def test_html_shows_it_and_nothing_else(name: str) -> None:
    words: list[str] = []
    tags: list[str] = []
    reader = html.parser.HTMLParser()
    reader.handle_data = words.append  # type: ignore[method-assign]
    reader.handle_starttag = lambda tag, _: tags.append(tag)  # type: ignore[method-assign]
    page = report_of(name).to_html(profile="loihi", picture=False)
    reader.feed(page)
    assert f"{one_line(name)}.0" in words
    assert f" {one_line(name)} is odd" in words
    assert "b" not in tags
    page.encode()


@every_name
def test_a_markdown_row_has_as_many_cells(name: str) -> None:
    shown = report_of(name).to_markdown(profile="loihi")
    rows = [line for line in shown.split("\n") if line.startswith("| ")]
    cells = [re.split(r"(?<!\\)\|", re.sub(r"\\\\", "", row)) for row in rows]
    assert {len(row) for row in cells[: 2 + 4 + 1 - 2]} == {9}
    row, *_ = [row for row in rows if row.startswith(f"| {_in_markdown(name)}.0 |")]
    assert re.sub(r"\\(.)", r"\1", row.split(" | ")[0])[2:] == f"{one_line(name)}.0"
    assert len(shown.split("\n")) == len(report_of("x").to_markdown(profile="loihi").split("\n"))


def _in_markdown(name: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", one_line(name))


@every_name
def test_a_latex_row_is_one_row_and_reads_as_the_name(name: str) -> None:
    shown = report_of(name).to_latex(profile="loihi")
    body = [line for line in shown.split("\n") if not line.startswith("%")]
    rows = [line for line in body if line.endswith(r" \\")]
    assert len(body) == len(_latex_body("x"))
    assert not [row for row in body if row.startswith(("[", "*"))]
    cell = rows[1].split(" & ")[0]
    assert _read_latex(cell) == f"{one_line(name)}.0"
    assert len(re.findall(r"(?<!\\)&", rows[1])) == 6
    assert ("LuaLaTeX" in shown) == (not one_line(name).isascii())
    assert all(c.isprintable() or c == "\n" for c in shown)


def _latex_body(name: str) -> list[str]:
    lines = report_of(name).to_latex(profile="loihi").split("\n")
    return [line for line in lines if not line.startswith("%")]


def _read_latex(cell: str) -> str:
    """What LaTeX prints."""
    words = {
        r"\textbackslash{}": "\\",
        r"\textasciitilde{}": "~",
        r"\textasciicircum{}": "^",
        r"\textasciigrave{}": "`",
        r"\textless{}": "<",
        r"\textgreater{}": ">",
        r"\textbar{}": "|",
        r"{\char34}": '"',
        "{[}": "[",
        "{*}": "*",
        "-{}-": "--",
    } | {f"\\{letter}": letter for letter in "&%$#_{}"}
    cell = re.sub(r"\\allowbreak\{\}|\\penalty500\{\}", "", cell)
    found = re.sub("|".join(map(re.escape, words)), lambda match: words[match[0]], cell)
    return re.sub(r"-\{\}-", "--", found)


@every_name
def test_json_has_the_name_itself(name: str) -> None:
    content = json.loads(report_of(name).to_json(profile="loihi"))
    assert content["layers"][0]["name"] == f"{name}.0"
    assert content["warnings"] == [f"{name} is odd"]


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_pictures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    layers = [replace(AWKWARD.rows[2], name=name) for name in NAMES.values()]
    neurons = [replace(AWKWARD.rows[1], name=f"{name}2") for name in NAMES.values()]
    report = replace(AWKWARD, rows=(*layers, *neurons))
    chip = replace(profile("loihi"), name=NAMES["maths"])
    figures = [
        report.plot(str(tmp_path / "layers.png")),
        report.plot_energy(chip, str(tmp_path / "energy.png")),
        plot_rates({NAMES["maths"]: torch.zeros(2)}, str(tmp_path / "rates.png")),
        plot_raster(torch.ones(1, 2, 3), str(tmp_path / "raster.png"), title=NAMES["maths"]),
    ]
    pictures = ["layers", "energy", "rates", "raster"]
    assert all((tmp_path / f"{each}.png").read_bytes()[:4] == b"\x89PNG" for each in pictures)
    for figure in figures[:2]:
        shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert shown[: len(NAMES)] == [plain(name) for name in NAMES.values()]
    maths = r"\$x\$ and \$"
    assert maths in figures[1].axes[0].get_title()
    assert maths in figures[2].axes[0].get_title()
    assert figures[3].axes[0].get_title() == maths


@every_name
def test_a_model_with_such_layers_is_counted_explained_and_limited(name: str) -> None:
    name = name.replace(".", "")
    layers = OrderedDict([(name, nn.Linear(3, 4)), ("iaf", IAF()), (f"{name}2", nn.Linear(4, 2))])
    model = nn.Sequential(layers)
    monitor = Monitor(model, conventions=True).attach()
    model(torch.ones(2, 5, 3))
    report = monitor.report()
    assert [row.name for row in report.rows] == list(layers)
    assert all(c.isprintable() or c == "\n" for c in report.explain())
    budget = Budget(monitor, synops_per_timestep={name: 1.0})
    with pytest.warns(BudgetWarning) as caught:
        budget.penalty()
    shown = [str(caught[0].message), *map(str, budget.violations())]
    assert all(c.isprintable() or c == "\n" for words in shown for c in words)


def test_a_name_that_is_a_number_is_shown_with_its_type() -> None:
    rows = [Row(name=name, kind="Linear") for name in ("3", "1.0.2", "head", "2b", "")]
    assert [row.label for row in rows] == ["3 Linear", "1.0.2 Linear", "head", "2b", "(model)"]


@pytest.mark.parametrize("form", ["to_text", "to_markdown", "to_latex", "to_html"])
def test_warnings_stand_above_the_table(form: str) -> None:
    sentence = "The time steps are not known; pass num-timesteps"
    shown = written(replace(AWKWARD, warnings=(sentence,)), form)
    assert "Warning:" in shown
    assert shown.index(sentence) < shown.index("lif")
    assert "Warning" not in written(AWKWARD, form)
