"""docs/compat.md has every public name of sinabs and nothing else, and what it says of them holds."""

import importlib
import inspect
import pkgutil
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch

from picojoule.compat.sinabs.finder import HARDWARE, resolve
from picojoule.compat.sinabs.table import MODULES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs = pytest.importorskip("sinabs")

DOCS = Path(__file__).parents[2] / "docs" / "compat.md"


class Row(NamedTuple):
    module: str
    name: str
    verdict: str
    note: str
    where: str


def rows() -> list[Row]:
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| `sinabs.")]
    cells = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]
    return [Row(*path.rsplit(".", 1), verdict, note, where) for path, verdict, note, where in cells]


def sinabs_modules() -> list[ModuleType]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pkgutil.walk_packages(sinabs.__path__, "sinabs.")
        names = [module.name for module in found if not module.name.startswith(HARDWARE)]
        return [sinabs, *(importlib.import_module(name) for name in names)]


def defined_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]


def test_every_public_name_has_one_row_and_every_row_a_public_name() -> None:
    public = {
        f"{module.__name__}.{name}" for module in sinabs_modules() for name in defined_in(module)
    }
    listed = [f"{row.module}.{row.name}" for row in rows()]
    assert sorted(listed) == sorted(public)


def test_every_module_of_sinabs_is_mapped_and_no_other() -> None:
    assert sorted(MODULES) == sorted(module.__name__ for module in sinabs_modules())


def test_every_module_has_the_names_that_sinabs_gives_there() -> None:
    """Packages are what users import from: what they hand on has to be there too."""
    not_there = {row.name for row in rows() if row.verdict == "not there"}
    for module in sinabs_modules():
        if not hasattr(module, "__path__"):
            continue
        public = {
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and (inspect.isclass(value) or inspect.isfunction(value))
            and value.__module__.startswith("sinabs")
        }
        assert public - not_there <= set(MODULES[module.__name__]), module.__name__


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.module}.{row.name}")
def test_the_row_is_true(row: Row) -> None:
    place = MODULES[row.module].get(row.name)
    if row.verdict == "not there":
        assert place is None
        assert row.note
        return
    assert row.verdict == "same" or (row.verdict == "corrected" and row.note)
    assert resolve(":".join(row.where.rsplit(".", 1))) is resolve(str(place))
    theirs = getattr(importlib.import_module(row.module), row.name)
    assert_takes_the_arguments_of(theirs, resolve(str(place)))


def assert_takes_the_arguments_of(theirs: Any, ours: Any) -> None:
    named = [
        parameter
        for parameter in inspect.signature(theirs).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    signature = inspect.signature(ours)
    in_order = signature.bind(*range(len(named))).arguments
    if not theirs.__name__.endswith("_hook"):  # which torch calls by position
        by_name = signature.bind(**{p.name: n for n, p in enumerate(named)}).arguments
        assert_same_binding(in_order, by_name)
    for parameter in named:
        mine = signature.parameters.get(parameter.name)
        if mine is not None and is_plain(parameter.default):
            assert value_of(mine.default) == value_of(parameter.default), parameter.name


def assert_same_binding(in_order: dict[str, Any], by_name: dict[str, Any]) -> None:
    variable = {"args", "kwargs"}
    fixed = {name: n for name, n in in_order.items() if name not in variable}
    assert fixed == {name: n for name, n in by_name.items() if name not in variable}


def is_plain(default: object) -> bool:
    return default is None or isinstance(default, int | float | str | list | torch.Tensor)


def value_of(default: object) -> object:
    if isinstance(default, list | tuple):
        return tuple(default)
    return default.item() if isinstance(default, torch.Tensor) else default
