"""What runs in chunks of time is counted as one pass of the whole sequence, and not again in the backward pass."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Monitor, checkpoint_time
from picojoule.layers import IAF, LIF, FlattenTime, LIFRecurrent, LIFSqueeze, UnflattenTime

B, T, N = 3, 11, 4
Run = Callable[[nn.Module, Tensor], Tensor]


class Inner(nn.Module):
    """Its forward calls `checkpoint_time` itself, beside layers that have the whole sequence."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(N, 6), LIF(4.0, norm_input=False))
        self.chunked = nn.Sequential(nn.Linear(6, 5), IAF(), nn.Linear(5, N))
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint_time(self.chunked, self.first(x), steps=self.steps)


def plain() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(N, 6), LIF(4.0, norm_input=False), nn.Linear(6, 5), IAF(), nn.Linear(5, 2)
    )


def folded() -> nn.Module:
    return nn.Sequential(
        FlattenTime(),
        nn.Unflatten(1, (1, 2, 2)),
        nn.Conv2d(1, 2, 3, padding=1),
        LIFSqueeze(tau_mem=4.0, norm_input=False, batch_size=B),
        nn.Flatten(),
        nn.Linear(8, 2),
        UnflattenTime(B),
    )


def recurrent() -> nn.Module:
    return nn.Sequential(
        nn.Linear(N, 6), LIFRecurrent(4.0, nn.Linear(6, 6), norm_input=False), nn.Linear(6, 2)
    )


MODELS: dict[str, Callable[[], nn.Module]] = {
    "plain": plain, "folded": folded, "recurrent": recurrent,
    "a neuron": lambda: IAF(), "no neuron": lambda: nn.Sequential(nn.Linear(N, 2)),
}  # fmt: skip


def sequence() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(0, 4, (B, T, N), generator=generator).float()
    x[:, 6:] = 0  # what is spent changes along the sequence
    return x


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[name]()


def whole(model: nn.Module, x: Tensor) -> Tensor:
    output: Tensor = model(x)
    return output


def chunked(steps: int) -> Run:
    return lambda model, x: checkpoint_time(model, x, steps=steps)


def everything(monitor: Monitor) -> list[Any]:
    counts = [monitor.synops, monitor.macs, monitor.dense, monitor.neuron_updates]
    sums = [{**each} | {"steps": each.sample_steps, "T": each.num_timesteps} for each in counts]
    return [*sums, {**monitor.rates}, monitor.warnings]


@pytest.mark.filterwarnings("ignore::picojoule.synops.MonitorWarning")
@pytest.mark.parametrize("options", [{}, {"accumulate": True}, {"witness": "off"}])
@pytest.mark.parametrize("steps", [1, 4, 100])
@pytest.mark.parametrize("name", MODELS)
def test_the_count_is_that_of_the_plain_call(name: str, steps: int, options: Any) -> None:
    def run(call: Run, grad: bool) -> list[Any]:
        model = build(name)
        with Monitor(model, **options) as monitor, torch.set_grad_enabled(grad):
            output = call(model, sequence())
            before = everything(monitor)
            if output.requires_grad:
                output.square().sum().backward()
            after = everything(monitor)
        torch.testing.assert_close(after[:-1], before[:-1])
        return [*before, [p.grad for p in model.parameters()]]

    for grad in (True, False):
        (*want, w), (*came, c) = run(whole, grad), run(chunked(steps), grad)
        torch.testing.assert_close(came[:-1], want[:-1])
        assert came[-1] == want[-1]
        torch.testing.assert_close(c, w, allow_subclasses=False)


@pytest.mark.parametrize("name", ["plain", "folded", "recurrent"])
def test_penalties_have_the_gradients_of_the_plain_call(name: str) -> None:
    def run(call: Run) -> list[Tensor | None]:
        model = build(name)
        with Monitor(model) as monitor:
            loss = call(model, sequence()).square().mean()
        total = loss + monitor.synops.total + monitor.rates.mean[next(iter(monitor.rates))]
        total.backward()
        return [p.grad for p in model.parameters()]

    torch.testing.assert_close(run(chunked(4)), run(whole))


def test_a_budget_has_the_gradients_of_the_plain_call() -> None:
    def run(call: Run) -> list[list[Tensor | None]]:
        model = build("plain")
        monitor = Monitor(model).attach()
        budget = picojoule.Budget(monitor, synops_per_timestep={"2": 1.0, "4": 1.0}, steps=3)
        gradients = []
        for _ in range(3):
            model.zero_grad()
            picojoule.reset_states(model)
            budget.backward(call(model, sequence()).square().mean())
            gradients.append([copy.copy(p.grad) for p in model.parameters()])
            budget.step()
        return gradients

    torch.testing.assert_close(run(chunked(4)), run(whole))


@pytest.mark.parametrize("name", ["plain", "folded"])
def test_detail_goes_along_the_whole_sequence(name: str) -> None:
    def run(call: Run) -> list[dict[str, Tensor]]:
        model = build(name)
        with Monitor(model, detail=("sample", "step", "channel")) as monitor:
            call(model, sequence())
        return [{**monitor.synops.detail}, {**monitor.rates.detail}]

    want = run(whole)
    for steps in (1, 4):
        torch.testing.assert_close(run(chunked(steps)), want)


@pytest.mark.parametrize("detail", [(), ("sample", "step")])
def test_a_model_that_has_a_part_run_in_chunks(detail: Any) -> None:
    def run(steps: int) -> list[Any]:
        torch.manual_seed(0)
        model = Inner(steps)
        with Monitor(model, detail=detail) as monitor:
            model(sequence()).sum().backward()
        more = [{**monitor.synops.detail}, {**monitor.rates.detail}] if detail else []
        return [*everything(monitor)[:-1], *more]

    torch.testing.assert_close(run(4), run(T))


def test_a_model_that_only_sees_chunks_is_refused() -> None:
    model = plain()
    with Monitor(model) as monitor:
        with pytest.raises(RuntimeError, match=r"^Monitor: .*checkpoint_time.*monitor.paused"):
            checkpoint_time(nn.Sequential(model), sequence(), steps=4)
        assert model[1].shape is None
        with monitor.paused():
            output = checkpoint_time(nn.Sequential(model), sequence(), steps=4)
        output.sum().backward()  # is no pass of its own
        picojoule.reset_states(model)
        with pytest.raises(RuntimeError, match="no forward pass was watched yet"):
            monitor.report()
        model(sequence())
    assert monitor.report().num_timesteps == T


def test_a_pass_that_fails_in_a_chunk_leaves_nothing_behind() -> None:
    model = plain()
    calls = list[None]()

    def fail_at_the_second(*_: Any) -> None:
        calls.append(None)
        if len(calls) == 2:
            raise RuntimeError("out of memory")

    handle = model[2].register_forward_hook(fail_at_the_second)
    with Monitor(model) as monitor:
        with pytest.raises(RuntimeError, match="out of memory"):
            checkpoint_time(model, sequence(), steps=4)
        handle.remove()
        assert "forward" not in vars(model)
        assert not torch._C._len_torch_function_stack()
        checkpoint_time(model, sequence(), steps=4)
    assert monitor.report().num_timesteps == T
