"""Networks in several Python threads at once, and copies of networks: each gives its own spikes."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import events
from tests.events.networks import network
from tests.events.recordings import DT_US, recording, sample, streamed

KINDS: dict[str, dict[str, Any]] = {
    "never": {"dense": "never"},
    "always": {"dense": "always"},
    "depth": {"order": "depth"},
    "breadth": {"order": "breadth"},
}


@torch.no_grad()
def loud(name: str) -> tuple[nn.Module, Tensor]:
    """A network in which nothing inhibits."""
    model, x = network(name)
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.ndim > 1:
            parameter.abs_()
    return model, x


def at_once(*work: Callable[[], None]) -> None:
    """Each in a thread of its own."""
    errors: list[BaseException] = []

    def tried(own: Callable[[], None]) -> None:
        try:
            own()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=tried, args=(own,), daemon=True) for own in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lenet", "recurrent", "leak"])
def test_networks_of_one_model_run_side_by_side(name: str, kind: str) -> None:
    model, x = network(name)
    made = events.compile(model, x, **KINDS[kind])
    inputs = [x, x.flip(0), x * 2]
    expected = [[own(given) for _ in range(2)] for given in inputs for own in [made.fresh()]]
    barrier = threading.Barrier(len(inputs))

    def repeat(own: Any, given: Tensor, wanted: list[Tensor]) -> Callable[[], None]:
        def run() -> None:
            barrier.wait(60)
            for _ in range(15):
                own.reset()
                for output in wanted:
                    assert torch.equal(own(given), output)

        return run

    fresh = [made.fresh(), made.fresh(), events.compile(model, x, **KINDS[kind])]
    at_once(*map(repeat, fresh, inputs, expected))
    assert made.report().samples == 0


@pytest.mark.parametrize("kind", ["never", "depth"])
def test_networks_of_two_models_share_pytorchs_threads(kind: str) -> None:
    pairs = [network("lenet"), loud("leak")]
    made = [events.compile(model, x, **KINDS[kind]) for model, x in pairs]
    expected = [own(x) for own, (_, x) in zip(made, pairs, strict=True)]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:

        def repeat(k: int) -> None:
            for _ in range(10):
                made[k].reset()
                assert torch.equal(made[k](pairs[k][1]), expected[k])

        at_once(lambda: repeat(0), lambda: repeat(1))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_in_one_network_wait_for_one_another(kind: str) -> None:
    model, x = network("lenet")
    made = events.compile(model, x, **KINDS[kind])
    once = made(x)
    made.reset_count()
    made.reset()
    total = torch.zeros_like(once)
    lock = threading.Lock()

    def run() -> None:
        for _ in range(10):
            output = made(x)
            made.report()
            with lock:
                total.add_(output)

    at_once(run, run)
    one_by_one = made.fresh()
    assert torch.equal(total, sum(one_by_one(x) for _ in range(20)))
    assert vars(made.report()) == vars(one_by_one.report())


def test_streams_of_one_network_run_side_by_side_and_two_threads_push_to_one() -> None:
    made = events.compile(streamed("integrate and fire"), sample(), dense="always")
    given = recording(700, 40)
    whole = made.stream(dt_us=DT_US)
    expected = len(whole.push(given).t_us) + len(whole.flush().t_us)
    shared = made.stream(dt_us=DT_US, window_us=40 * DT_US)
    counts = []

    def push(part: slice) -> None:
        own = made.stream(dt_us=DT_US)
        counts.append(len(own.push(given).t_us) + len(own.flush().t_us))
        shared.push({name: column[part] for name, column in given._asdict().items()})

    at_once(lambda: push(slice(None, None, 2)), lambda: push(slice(1, None, 2)))
    assert counts == [expected] * 2
    assert len(shared.flush().t_us) == expected > 0


def test_kernels_are_made_once_whoever_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from picojoule.events.kernels import compiled

    made: list[str] = []

    def slowly(name: str, plan: object) -> Callable[..., int]:
        made.append(name)
        return lambda *_: 0

    monkeypatch.setattr(compiled, "_known", {})
    monkeypatch.setattr(compiled, "_compiled", slowly)
    with compiled.making:  # all of them wait here
        threads = [threading.Thread(target=compiled.compiled, args=("k",)) for _ in range(3)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert made == ["k"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda own: pickle.loads(pickle.dumps(own))])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_goes_on_by_itself(kind: str, copied: Callable[[Any], Any]) -> None:
    model, x = loud("leak")
    made = events.compile(model, x, **KINDS[kind])
    unused = copied(made)
    made(x)
    twin = copied(made)
    second = made(x)
    assert second.any()
    assert torch.equal(twin(x), second)
    assert vars(twin.report()) == vars(made.report())
    first = unused(x)
    made.reset()
    assert torch.equal(made(x), first)
    assert not torch.equal(first, second)
    del made  # its memory is not the copy's
    twin.reset()
    assert torch.equal(twin(x), first)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda own: pickle.loads(pickle.dumps(own))])
def test_a_copy_of_a_stream_goes_on_by_itself(copied: Callable[[Any], Any]) -> None:
    given = recording(700, 40)
    stream = events.compile(streamed("leak"), sample(), dense="never").stream(dt_us=DT_US)
    parts = [
        {name: column[a:b] for name, column in given._asdict().items()}
        for a, b in ((0, 350), (350, 700))
    ]
    stream.push(parts[0])
    twin = copied(stream)
    expected = [stream.push(parts[1]), stream.flush()]
    found = [twin.push(parts[1]), twin.flush()]
    assert [c.tolist() for out in found for c in out] == [
        c.tolist() for out in expected for c in out
    ]
    assert vars(twin.report()) == vars(stream.report())


def test_a_network_of_a_model_with_hooks_is_copied_too_and_keeps_no_shapes() -> None:
    model, x = network("lenet")
    seen: list[int] = []
    model[0].register_forward_hook(lambda *_: seen.append(1))
    with pytest.warns(UserWarning, match="is not called event by event"):
        made = events.compile(model, x, dense="always")
    assert len(seen) <= 1  # a sample went through a copy
    seen.clear()
    made(x)
    assert not seen
    assert torch.equal(pickle.loads(pickle.dumps(made)).fresh()(x), made.fresh()(x))
