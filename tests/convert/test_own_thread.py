"""Whoever follows a model leaves the models of other threads alone."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from picojoule import events, layers
from picojoule.convert.graph import call_graph

FOLLOWED, DONE = threading.Event(), threading.Event()


class Meets(nn.Module):
    """Waits, while it is followed, until the other thread has run its own model."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.neurons = nn.Linear(3, 2, bias=False), layers.IAF()

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, fx.Proxy):
            FOLLOWED.set()
            assert DONE.wait(20)
        return self.neurons(self.layer(x))


@pytest.mark.parametrize(
    "follow",
    [
        lambda: events.compile(Meets(), torch.zeros(1, 2, 3)),
        lambda: call_graph("here", Meets()),
    ],
    ids=["layers", "calls"],
)
def test_a_model_that_runs_in_another_thread_meanwhile_is_not_followed(
    follow: Callable[[], object],
) -> None:
    FOLLOWED.clear(), DONE.clear()
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(1.0), nn.Identity(), layers.Repeat(nn.ReLU()))
    found: list[Tensor | Exception] = []

    def run() -> None:
        assert FOLLOWED.wait(20)
        try:
            found.append(model(torch.ones(1, 2, 4)))
        except Exception as error:
            found.append(error)
        DONE.set()

    other = threading.Thread(target=run)
    other.start()
    follow()
    other.join()
    assert isinstance(found[0], Tensor)
    assert not found[0].any()  # all of it was dropped


def test_models_are_followed_in_several_threads_at_once() -> None:
    call, get = nn.Module.__call__, nn.Module.__getattr__
    model = nn.Sequential(nn.Linear(3, 8), layers.IAF(), nn.Linear(8, 2), layers.IAF())
    errors: list[Exception] = []

    def compile_often() -> None:
        try:
            for _ in range(10):
                events.compile(model, torch.zeros(1, 2, 3))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=compile_often) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert (nn.Module.__call__, nn.Module.__getattr__) == (call, get)
