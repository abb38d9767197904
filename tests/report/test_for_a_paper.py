"""What a paper prints of a report: joules of several profiles side by side, the spread, tables that fit a page."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picojoule import Report
from picojoule.energy import EnergyProfile
from picojoule.energy.breakdown import joules
from picojoule.report import Row
from tests.report.reports import AWKWARD, written

GOLDEN = Path(__file__).parents[1] / "golden"
TWO = ["loihi", "45nm-fp32+step"]
FIVE = [*TWO, "spinnaker2-2019", "45nm-int8+sram-32kb", "22nm-dram"]
READABLE = ["to_text", "to_markdown", "to_latex", "to_html"]
EMPTY = Report(model="Empty", rows=(), samples=1, num_timesteps=1)

SPREAD = replace(
    AWKWARD,
    synops_per_sample_sd=45.25,
    rows=tuple(
        row if row.synops_per_sample is None else replace(row, synops_per_sample_sd=sd)
        for row, sd in zip(AWKWARD.rows, (0.0, None, 45.25, None), strict=True)
    ),
)


@pytest.mark.parametrize(
    ("form", "ending"),
    [("to_text", "txt"), ("to_markdown", "md"), ("to_latex", "tex"), ("to_html", "html")],
)
def test_two_profiles_and_the_spread(form: str, ending: str) -> None:
    expected = (GOLDEN / f"paper.{ending}").read_text()
    assert written(SPREAD, form, profile=TWO).rstrip("\n") == expected.rstrip("\n")


@pytest.mark.parametrize("form", READABLE)
def test_a_sequence_of_one_is_that_one_and_of_none_no_joules(form: str) -> None:
    assert written(AWKWARD, form, profile=["loihi"]) == written(AWKWARD, form, profile="loihi")
    assert written(AWKWARD, form, profile=[]) == written(AWKWARD, form)


def test_the_layers_add_up_to_the_total_of_each_profile() -> None:
    layers = {name: AWKWARD.energy_by_layer(name) for name in TWO}
    table = AWKWARD.to_text(profile=TWO).split("Energy of each layer")[1].split("\n\n")[0]
    total = next(line for line in table.splitlines() if line.startswith("total"))
    for name, by_layer in layers.items():
        whole = sum(float(each.total_j) for each in by_layer.values())
        assert whole == pytest.approx(float(AWKWARD.energy(name).total_j))
        assert joules(whole) in total


def test_what_has_no_price_is_a_question_and_no_zero() -> None:
    table = AWKWARD.to_text(profile="loihi").split("Energy of each layer")[1]
    cells = {line.split()[0]: line.split(maxsplit=1)[1] for line in table.splitlines()[3:7]}
    assert cells["stem_a&<b>"] == "?"  # 64,000 MACs, and Loihi has no price for one
    assert cells["lif^1"] == joules(120 * 81e-12)
    assert cells["out|50%"] == "0 J"
    assert "?: the source has no price for what was counted there." in table
    priced = replace(AWKWARD, rows=AWKWARD.rows[2:], neuron_updates_per_sample=0.0)
    assert "?" not in priced.to_text(profile="loihi")


def test_more_profiles_than_fit_side_by_side_have_a_second_table() -> None:
    shown = AWKWARD.to_text(profile=FIVE)
    assert shown.count("Energy of each layer per sample, modelled") == 2
    notes = shown.split("\n\n")[-1].splitlines()
    assert len(notes) == len({*notes})
    for sentence in [note for note in notes if "Not in the total" in note]:
        assert sentence.split(":")[0] in FIVE  # of which profile it is


def test_sentences_that_hold_for_all_profiles_come_once_and_without_a_name() -> None:
    shown = AWKWARD.to_text(profile=["45nm-int8", "45nm-fp32"])
    assert shown.count("Not in the total: 120 neuron updates.") == 1
    assert "45nm-int8: Not in the total: 120" not in shown
    assert shown.count("The ANN is the same network") == 1


def test_two_of_one_name_cannot_be_told_apart() -> None:
    mine = EnergyProfile(name="loihi", synop_j=1e-12, source="own measurement")
    with pytest.raises(ValueError, match="two profiles are called 'loihi'"):
        AWKWARD.to_latex(profile=["loihi", mine])
    with pytest.raises(ValueError, match="Nearest: loihi"):
        AWKWARD.to_latex(profile=["odin", "lohi"])


@pytest.mark.parametrize("form", [*READABLE, "methods_text"])
def test_a_report_without_layers(form: str) -> None:
    shown = written(EMPTY, form, profile=TWO)
    assert "Empty" in shown
    assert "0 J" in shown


@pytest.mark.parametrize("form", READABLE)
def test_counts_that_are_no_numbers_are_shown_and_have_no_joules(form: str) -> None:
    rows = (*AWKWARD.rows, Row(name="broken", kind="Linear", synops_per_sample=float("nan")))
    odd = replace(AWKWARD, rows=rows)
    assert "nan" in written(odd, form)
    with pytest.raises(ValueError, match="layer 'broken' has nan SynOps, which have no joules"):
        written(odd, form, profile="loihi")


# ---- LaTeX


@st.composite
def names(draw: st.DrawFn) -> str:
    """As others choose them, up to 200 letters, with all that LaTeX takes for something else."""
    letters = st.one_of(st.sampled_from(list(r"_%&#{}\~^$<>|`\"[]*-./ :")), st.characters())
    return draw(st.text(letters, min_size=1, max_size=200))


def of_name(name: str) -> Report:
    rows = tuple(replace(row, name=name) for row in AWKWARD.rows)
    return replace(SPREAD, model=name, rows=rows, warnings=(name,))


@given(names())
@settings(max_examples=60, deadline=None)
def test_any_name_leaves_latex_with_its_rows_columns_and_braces(name: str) -> None:
    shown = of_name(name).to_latex(profile=TWO)
    lines = shown.split("\n")
    opened = [line for line in lines if line.startswith(r"\begin{tabularx}")]
    for start in [lines.index(line) for line in dict.fromkeys(opened)]:
        end = lines.index(r"\bottomrule", start)
        rows = [line for line in lines[start:end] if line.endswith(r" \\")]
        assert len({len(re.findall(r"(?<!\\)(?:\\\\)*&", row)) for row in rows}) == 1
    bare = re.sub(r"\\[\\{}%&#_$]", "", "\n".join(x for x in lines if not x.startswith("%")))
    assert bare.count("{") == bare.count("}")
    assert shown.count(r"\begin{") == shown.count(r"\end{")


def test_a_long_name_may_end_a_line_behind_each_few_letters() -> None:
    shown = replace(AWKWARD, rows=(replace(AWKWARD.rows[2], name="x" * 200),)).to_latex()
    (row,) = [line for line in shown.split("\n") if line.startswith("xx")]
    pieces = re.split(r"\\allowbreak\{\}|\\penalty500\{\}", row.split(" & ")[0])
    assert "".join(pieces) == "x" * 200
    assert max(map(len, pieces)) <= 7


def test_sources_and_caveats_stand_below_the_tables_that_they_are_of() -> None:
    doubt = "the time steps are not known"
    shown = replace(AWKWARD, warnings=(doubt,)).to_latex(profile="loihi")
    assert f"% Warning: {doubt}" in shown
    tables = shown.split(r"\end{table}")[:-1]
    captions = [re.findall(r"\\caption\{(.*)\}", table)[0] for table in tables]
    assert captions[3:] == [
        "Energy of each layer per sample, modelled",
        "Energy per sample on loihi, modelled",
    ]
    visible = ["\n".join(x for x in t.splitlines() if not x.startswith("%")) for t in tables]
    below = [table.partition(r"\end{tabularx}")[2] for table in visible]
    assert f"Warning: {doubt}" in below[0]
    assert "Dense input" in below[0]
    assert all("Davies et al., IEEE Micro 38(1), 2018" in notes for notes in below[3:])
    assert all("Not in the total: 64000 MACs" in notes for notes in below[3:])
    assert not below[1].strip()
    assert not below[2].strip()


def test_a_table_that_no_page_holds_is_several() -> None:
    rows = tuple(replace(AWKWARD.rows[2], name=f"layer{k}") for k in range(150))
    shown = replace(AWKWARD, rows=rows).to_latex(profile="loihi")
    captions = re.findall(r"\\caption\{(.*)\}", shown)
    assert [each for each in captions if "operations" in each] == [
        rf"Net\_1: operations, mean over 4 samples of 10 time steps ({k} of 4)" for k in range(1, 5)
    ]
    for k in range(150):
        assert len(re.findall(rf"^layer{k} &", shown, re.MULTILINE)) == 2  # SynOps and joules
    assert len(re.findall(r"^total &", shown, re.MULTILINE)) == 2
    longest = max(len(re.findall(r"^layer\d", part, re.M)) for part in shown.split(r"\end{table}"))
    assert longest <= 44


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles_and_nothing_sticks_out_of_the_line(tmp_path: Path) -> None:
    long_names = replace(
        SPREAD,
        rows=tuple(replace(row, name=(row.name * 30)[:200]) for row in SPREAD.rows),
        model="a_%&#{}~^" * 20,
    )
    tables = [each.to_latex(profile=FIVE) for each in (SPREAD, long_names, EMPTY)]
    body = "\n\\clearpage\n".join(tables)
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{lmodern,booktabs,tabularx}"
    (tmp_path / "paper.tex").write_text(f"{head}\\begin{{document}}\n{body}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert "Overfull \\hbox" not in log


# ---- HTML


def test_a_page_has_pictures_only_where_they_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "<img" not in AWKWARD.to_html(profile="loihi")
    with pytest.raises(ImportError, match=r"picojoule\[plot\]"):
        AWKWARD.to_html(picture=True)


def test_each_table_of_a_page_scrolls_by_itself_and_names_may_break() -> None:
    page = AWKWARD.to_html(profile=FIVE, picture=False)
    assert page.count("<div><table>") == page.count("</table></div>") == page.count("<table>") == 6
    assert "overflow-x:auto" in page
    assert "overflow-wrap:anywhere" in page
    assert '<th class="n">45nm-fp32<wbr>+step</th>' in page


def test_a_page_of_long_names_has_its_pictures() -> None:
    pytest.importorskip("matplotlib")
    rows = tuple(replace(row, name=row.name * 30) for row in AWKWARD.rows)
    page = replace(AWKWARD, rows=rows).to_html(profile=TWO)
    assert page.count("<img") == 3
    assert 'alt="Energy on loihi by layer' in page
