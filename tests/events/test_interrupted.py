"""A call that ends in the middle, by Ctrl-C or for want of memory: nothing goes on from torn states, and nothing wrong is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from picojoule import events, layers
from picojoule.events import program
from picojoule.events.stream_outputs import Spikes


def network() -> events.EventNetwork:
    model = nn.Sequential(nn.Linear(2, 3), layers.IAF(), nn.Linear(3, 2), layers.IAF())
    for layer in (model[0], model[2]):
        layer.weight.data.fill_(0.5)
        layer.bias.data.zero_()
    return events.compile(model, torch.zeros(1, 4, 2))


X = torch.ones(1, 4, 2)
FOUR = {"t": [0, 1000, 2000, 3000], "x": [0, 1, 0, 1], "y": [0] * 4, "p": [0] * 4}


def in_the_middle(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException], call: Callable[[], object]
) -> None:
    """The second layer's kernel never runs."""
    run_kernel, calls = program.run_kernel, []

    def interrupted(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise error
        run_kernel(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(program, "run_kernel", interrupted)
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_nothing_but_a_reset_follows_a_call_that_was_cut_short(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = network()
    made(X)
    in_the_middle(monkeypatch, error, lambda: made(X))
    for ask in (lambda: made(X), made.states, made.report, lambda: made(X[:0])):
        with pytest.raises(RuntimeError, match=r"EventNetwork: a call was interrupted.*reset\(\)"):
            ask()
    made.reset()
    fresh = network()
    assert torch.equal(made(X), fresh(X))
    assert made.report().to_dict() == fresh.report().to_dict()


def test_a_fresh_network_of_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network()
    in_the_middle(monkeypatch, KeyboardInterrupt, lambda: made(X))
    assert torch.equal(made.fresh()(X), network()(X))


def test_a_refused_input_interrupts_nothing() -> None:
    made = network()
    made(X)
    with pytest.raises(ValueError, match="not finite"):
        made(X / 0)
    assert made(X).sum() > 0


@pytest.mark.parametrize("where", ["network", "stream"])
def test_a_stream_that_was_cut_short_begins_anew(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = network().stream(dt_us=1000)
    stream.push(FOUR)
    stream.flush()
    later = {**FOUR, "t": [10_000, 11_000, 12_000, 13_000]}
    if where == "network":
        in_the_middle(monkeypatch, KeyboardInterrupt, lambda: stream.push(later))
    else:  # between the network's steps and the stream's own count of them
        with monkeypatch.context() as patched:

            def interrupted(*_: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(Spikes, "add", interrupted)
            with pytest.raises(KeyboardInterrupt):
                stream.push(later)
    for ask in (lambda: stream.push(later), stream.flush, stream.report):
        with pytest.raises(RuntimeError, match=r"a call was interrupted.*reset\(\)"):
            ask()
    stream.reset()
    fresh = network().stream(dt_us=1000)
    for each in (stream, fresh):
        each.push(FOUR)
    assert torch.equal(torch.as_tensor(stream.flush().t_us), torch.as_tensor(fresh.flush().t_us))
    assert stream.report().to_dict() == fresh.report().to_dict()
