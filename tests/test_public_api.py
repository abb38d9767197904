"""What users can count on is listed in api.txt; a change to it is a decision."""

import importlib
from pathlib import Path

import pytest

import picojoule

MODULES = [
    "picojoule",
    "picojoule.activation",
    "picojoule.budget",
    "picojoule.compat.sinabs",
    "picojoule.convert",
    "picojoule.data",
    "picojoule.energy",
    "picojoule.events",
    "picojoule.hooks",
    "picojoule.layers",
    "picojoule.ops",
    "picojoule.plots",
    "picojoule.report",
    "picojoule.synops",
    "picojoule.training",
]


def exported() -> list[str]:
    return [
        f"{module}.{name}"
        for module in MODULES
        for name in sorted(importlib.import_module(module).__all__)
    ]


def test_the_exports_are_those_in_api_txt() -> None:
    listed = (Path(__file__).parent / "api.txt").read_text().split()
    assert exported() == listed


def test_every_export_exists_and_is_described() -> None:
    for path in exported():
        module, name = path.rsplit(".", 1)
        value = getattr(importlib.import_module(module), name)
        assert name == "__version__" or isinstance(value, tuple | Path) or value.__doc__, path


def test_every_export_has_a_line_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Path(__file__).parents[1] / "docs"
    monkeypatch.syspath_prepend(docs / "_ext")
    pages = importlib.import_module("reference_pages")
    assert pages.missing(docs / "reference") == []
    assert "picojoule.Monitor" in pages.missing(docs / "howto")  # which lists none


def test_the_modules_of_sinabs_have_their_names_here() -> None:
    for module in ("spike_generation", "reset_mechanism", "surrogate_gradient_fn", "quantize"):
        assert importlib.import_module(f"picojoule.activation.{module}")
    assert picojoule.hooks.get_hook_data_dict
