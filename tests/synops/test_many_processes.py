"""The Monitor in two processes against one that has all samples."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from picojoule import Monitor
from picojoule.budget import rate_shortfall, synops_excess
from picojoule.layers import IAF

pytestmark = pytest.mark.slow  # two processes that import PyTorch

T = 6
SPLIT = 3  # samples of the first process; the second has the other five


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), IAF(), nn.Linear(8, 6, bias=False), IAF(), nn.Linear(6, 2)
    )


def samples() -> Tensor:
    """The first process's samples spend less than the target, the second's more."""
    torch.manual_seed(1)
    data = (torch.rand(8, T, 4) < 0.5).float()
    data[:SPLIT] *= 0.25
    return data


def penalty(monitor: Monitor) -> Tensor:
    """Hinges of global means, which are no means of hinges."""
    return synops_excess(monitor.synops.values(), 4.0) + rate_shortfall(monitor.rates.values(), 0.3)


def results(watched: nn.Module, net: nn.Module, x: Tensor) -> dict[str, Any]:
    """What a process reads, and the gradient that its optimizer sees."""
    monitor = Monitor(watched, inputs="spikes")
    with monitor:
        output = watched(x)
        with torch.no_grad():
            first = monitor.synops.total  # a reading without gradient leaves the next one its graph
        loss = penalty(monitor)
        world = distributed.get_world_size() if distributed.is_initialized() else 1
        (
            loss + output.square().sum() * world / 8
        ).backward()  # the mean over ranks is over 8 samples
    synops = monitor.synops
    return {
        "loss": loss.detach(),
        "first": first,
        "synops": {name: count.detach() for name, count in synops.items()},
        "has_gradient": [count.requires_grad for count in synops.values()],
        "macs": monitor.macs.total.detach(),
        "per_sample": synops.per_sample.total.detach(),
        "steps": (synops.sample_steps, synops.num_timesteps),
        "rates": {name: rate.detach() for name, rate in monitor.rates.items()},
        "gradients": [None if p.grad is None else p.grad.clone() for p in net.parameters()],
    }


def process(rank: int, folder: str, world: int) -> None:
    store = distributed.FileStore(f"{folder}/store", world)
    distributed.init_process_group(
        "gloo", store=store, rank=rank, world_size=world, timeout=timedelta(seconds=60)
    )
    torch.set_num_threads(1)
    x = samples()[:SPLIT] if rank == 0 else samples()[SPLIT:]
    net = model()
    wrapped = DistributedDataParallel(net, bucket_cap_mb=1)
    found = {"ddp": results(wrapped, net, x)}
    net = model()
    found["by hand"] = results(net, net, x)
    net = model()
    alone = Monitor(net, inputs="spikes", reduce=None)
    single = distributed.new_group([rank], use_local_synchronization=True)
    group = Monitor(net, inputs="spikes", reduce=single)
    with alone, group:
        net(x)
    found["alone"] = {"total": alone.synops.total.detach(), "group": group.synops.total.detach()}
    own = Monitor(net, inputs="spikes", detail=("sample",))
    with own:
        net(x)
    found["detail"] = {"0": own.synops.detail["0"].detach(), "total": own.synops["0"].detach()}
    outer = Monitor(net[0], inputs="spikes", time_axis="outer")
    with outer:
        for t in range(T):
            net[0](x[:, t])
    found["outer"] = {
        "total": outer.synops.total,
        "per_sample": outer.synops.per_sample.total,
    }
    different = nn.Sequential(*[nn.Identity()] * rank, net[0])
    odd = Monitor(different, inputs="spikes")
    with odd:
        different(x)
    found["odd"] = {"total": odd.synops.total}
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder: Path = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(process, (str(folder), 2), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.fixture(scope="module")
def one() -> dict[str, Any]:
    net = model()
    return results(net, net, samples())


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", ["ddp", "by hand"])
def test_totals_and_rates_are_those_of_one_process(
    two: list[dict[str, Any]], one: dict[str, Any], rank: int, how: str
) -> None:
    found = two[rank][how]
    for key in ("loss", "first", "synops", "has_gradient", "macs", "per_sample", "steps", "rates"):
        torch.testing.assert_close(found[key], one[key], msg=lambda m, key=key: f"{key}: {m}")


def test_the_gradient_that_ddp_averages_is_that_of_one_process(
    two: list[dict[str, Any]], one: dict[str, Any]
) -> None:
    assert sum(g is not None and bool(g.any()) for g in one["gradients"]) == 5
    for rank in (0, 1):
        for ours, expected in zip(two[rank]["ddp"]["gradients"], one["gradients"], strict=True):
            if expected is not None:
                torch.testing.assert_close(ours, expected)


def test_gradients_that_are_added_up_by_hand_are_as_many_times_as_large(
    two: list[dict[str, Any]], one: dict[str, Any]
) -> None:
    for a, b, expected in zip(
        *(two[rank]["by hand"]["gradients"] for rank in (0, 1)), one["gradients"], strict=True
    ):
        if expected is not None:
            torch.testing.assert_close((a + b) / 2, expected)


def test_a_process_may_count_for_itself(two: list[dict[str, Any]]) -> None:
    a, b = (two[rank]["alone"]["total"].item() for rank in (0, 1))
    assert a < b
    assert [two[rank]["alone"]["group"].item() for rank in (0, 1)] == [a, b]
    expected = two[0]["by hand"]["first"].item()
    assert (3 * a + 5 * b) / 8 == pytest.approx(expected, rel=1e-6)


def test_steps_that_the_user_calls_add_up_over_processes(two: list[dict[str, Any]]) -> None:
    per_step = samples().sum().item() * 8 / (8 * T)
    for rank in (0, 1):
        found = two[rank]["outer"]
        assert found["total"].item() == pytest.approx(per_step)
        assert found["per_sample"].item() == pytest.approx(per_step * T)


def test_detail_is_of_the_processes_own_samples(two: list[dict[str, Any]]) -> None:
    expected = 8 * samples().sum(2).mean(1)
    torch.testing.assert_close(two[0]["detail"]["0"], expected[:SPLIT])
    torch.testing.assert_close(two[1]["detail"]["0"], expected[SPLIT:])
    for rank in (0, 1):
        assert two[rank]["detail"]["total"].item() == pytest.approx(expected.mean().item())


def test_processes_that_called_different_layers_get_no_number(two: list[dict[str, Any]]) -> None:
    assert all(torch.isnan(two[rank]["odd"]["total"]) for rank in (0, 1))
