"""What makes a first call slow is told once, and is no warning."""

from __future__ import annotations

import logging

import pytest
import torch

from picojoule import events
from picojoule.events import slow_start
from picojoule.events.kernels import compiled
from tests.events.networks import network


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process, on a machine that has no kernels; those of before do the work."""
    monkeypatch.setattr(slow_start, "_said", set())
    monkeypatch.setattr(compiled, "_known", {})
    kept, compile_ = compiled.kept, compiled._compile
    monkeypatch.setattr(compiled, "kept", lambda name: None)
    monkeypatch.setattr(compiled, "keep", lambda name, content: None)
    monkeypatch.setattr(
        compiled,
        "_compile",
        lambda name, plan: kept(f"{compiled._key(name, plan)}.o") or compile_(name, plan),
    )


@pytest.fixture(scope="module", autouse=True)
def _on_disk() -> None:
    """What the tests run, made before."""
    model, x = network("leak")
    for options in ({"order": "depth"}, {"order": "breadth"}, {"dense": "never"}):
        events.compile(model, x, **options)(x)


def test_each_order_and_the_layers_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    model, x = network("leak")
    with caplog.at_level(logging.INFO, logger="picojoule"):
        for _ in range(2):
            for options in ({"order": "depth"}, {"order": "breadth"}, {"dense": "never"}):
                events.compile(model, x, **options)(x)
    told = [record.getMessage() for record in caplog.records]
    assert [text.split("(")[0].split(" for this")[0] for text in told] == [
        "picojoule.events: compiling the kernels of order='depth'",
        "picojoule.events: compiling the kernels of order='breadth'",
        "picojoule.events: compiling the kernels of the layers",
    ]
    assert "tens of seconds, once" in told[0]


def test_it_goes_to_who_asks_for_it() -> None:
    model, x = network("leak")
    told: list[str] = []
    with slow_start.telling(told.append):
        events.compile(model, x, order="depth")(x)
    assert len(told) == 1
    assert told[0].startswith("compiling the kernels of order='depth' for this machine")


def test_kernels_that_are_on_disk_are_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from picojoule.ops.cpu.cache import kept

    monkeypatch.setattr(compiled, "kept", kept)
    model, x = network("leak")
    events.compile(model, torch.zeros_like(x), order="depth")(x)
    assert not caplog.records
