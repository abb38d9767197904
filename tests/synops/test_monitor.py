"""What a Monitor counts and gives, against the hooks and counts by hand."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.hooks import register_synops_hooks
from picojoule.layers import IAF, IAFSqueeze
from picojoule.training.networks.lenet import lenet as seeds_network
from tests.synops.brute_force import impulse_count
from tests.synops.networks import T, lenet, spikes


def test_the_numbers_are_those_of_the_hooks() -> None:
    model, x = lenet(), torch.rand(3 * T, 1, 14, 14)
    with Monitor(model, convention="sinabs") as monitor, register_synops_hooks(model):
        model(x)
    expected = model.hook_data["synops_per_timestep"]
    assert {int(name): n.item() for name, n in monitor.synops.items()} == {
        key: pytest.approx(n.item(), rel=1e-6) for key, n in expected.items()
    }
    total = model.hook_data["total_synops_per_timestep"]
    assert monitor.synops.total.item() == pytest.approx(total.item(), rel=1e-6)
    assert monitor.synops.per_sample.total.item() == pytest.approx(T * total.item(), rel=1e-6)
    per_second = monitor.synops.per_second(1e-3)["0"].item()
    assert per_second == pytest.approx(1e3 * expected[0].item(), rel=1e-6)


def test_the_seeds_network_gives_the_hooks_numbers() -> None:
    model = seeds_network(batch_size=2)
    x = spikes(2, T, 1, 28, 28)  # spikes, so that both conventions count the first layer alike
    with Monitor(model) as monitor, register_synops_hooks(model):
        model(x)
    expected = model.hook_data["synops_per_timestep"]
    assert {int(name): n.item() for name, n in monitor.synops.items()} == {
        key: pytest.approx(n.item(), rel=1e-6) for key, n in expected.items()
    }
    assert min(n.item() for n in expected.values()) >= 0 < monitor.synops.total.item()
    rates = {name: rate.mean().item() for name, rate in monitor.rates.items()}
    layers = {name: m for name, m in model.named_modules() if isinstance(m, IAFSqueeze)}
    assert rates == {name: pytest.approx(m.firing_rate.item()) for name, m in layers.items()}


def test_no_tensor_of_the_forward_pass_is_kept() -> None:
    kept: list[Any] = []

    class Peek(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            kept.append(weakref.ref(x))
            return x * 2

    model = nn.Sequential(nn.Linear(3, 4), IAF(), Peek(), nn.Linear(4, 2), Peek())
    with Monitor(model) as monitor, torch.no_grad():
        model(2 * spikes(2, T, 3))
    gc.collect()
    assert len(kept) == 2
    assert all(x() is None for x in kept)
    assert monitor.synops.total.item() > 0


def test_an_image_is_dense_and_an_event_frame_is_spikes() -> None:
    model = lenet()
    with Monitor(model) as monitor:
        model(torch.rand(3 * T, 1, 14, 14))
        assert monitor.synops["0"].item() == 0
        assert monitor.macs["0"].item() == 12 * 12 * 9 * 4
        x = spikes(3 * T, 1, 14, 14)
        model(x)
        assert monitor.synops.per_sample["0"].item() == pytest.approx(
            impulse_count(model[0], x, False).item() / 3
        )
        assert monitor.macs.total.item() == 0
    with Monitor(model, inputs="dense") as monitor:
        model(x)
    assert monitor.macs["0"].item() == 12 * 12 * 9 * 4


TO_PIXELS: dict[str, Any] = {
    "scaled": lambda x: x.float() / 255,
    "divided": lambda x: x / 255,
    "moved": lambda x: x.permute(0, 1, 3, 2).contiguous().float() / 255,
    "sliced": lambda x: torch.stack(x.unbind(0)).double().float(),
    "shifted": lambda x: (128 - x.int()).float(),
    "side by side": lambda x: torch.cat([x.to(torch.int16), x.short()])[:2].float(),
}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int64, torch.bool], ids=str)
@pytest.mark.parametrize("to_pixels", TO_PIXELS.values(), ids=list(TO_PIXELS))
def test_an_image_of_integers_that_is_said_to_be_dense_is(to_pixels: Any, dtype: Any) -> None:
    class Sees(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return self[0](to_pixels(x))

    model, x = Sees(nn.Conv2d(1, 2, 3)), torch.randint(1, 99, (2, 1, 4, 4)).to(dtype)
    with Monitor(model, inputs="dense") as monitor:
        for _ in range(3):
            model(x)
            # 4 places of 9 taps to 2 channels
            assert monitor.macs.per_sample.total.item() == 4 * 9 * 2
            assert monitor.synops.total.item() == 0
    assert [given.spikes for given in monitor.ledger.inputs] == [False]


def test_what_the_model_makes_of_a_dense_image_may_be_spikes() -> None:
    class Bits(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return self[0]((x >> 3).bitwise_and(1).float()) + self[0]((x > 7).float())

    model, x = Bits(nn.Linear(4, 3)), torch.tensor([[0, 8, 9, 16]], dtype=torch.uint8)
    with Monitor(model, inputs="dense", num_timesteps=1) as monitor:
        for _ in range(3):
            model(x)
            # bit 3 of 8 and 9; 8, 9 and 16 are above 7
            assert monitor.synops.per_sample.total.item() == (2 + 3) * 3
            assert monitor.macs.total.item() == 0


def test_the_numbers_of_words_look_up_rows_whatever_inputs_are_said_to_be() -> None:
    model, words = nn.Sequential(nn.Embedding(7, 4)), torch.tensor([[0, 3, 6]])
    for inputs in ("auto", "dense", "spikes"):
        with Monitor(model, inputs=inputs, detail=("sample",)) as monitor:  # type: ignore[arg-type]
            model(words)
        assert monitor.synops.per_sample.total.item() == monitor.synops.detail["0"].sum() == 3 * 4
        assert monitor.macs.total.item() == 0


def test_watching_changes_nothing() -> None:
    def step(watch: bool) -> list[Tensor]:
        torch.manual_seed(1)
        model = nn.Sequential(lenet(), nn.Dropout(0.5))
        monitor = Monitor(model)
        if watch:
            monitor.attach()
        out = model(torch.rand(3 * T, 1, 14, 14))
        out.square().sum().backward()
        keys = [torch.tensor([len(model.state_dict())]), torch.rand(1)]
        return [out.detach(), *(p.grad for p in model.parameters() if p.grad is not None), *keys]

    plain, watched = step(False), step(True)
    assert len(plain) > 3
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))


def test_a_loss_on_the_count_trains_what_the_hooks_train() -> None:
    model, x = lenet(), spikes(3 * T, 1, 14, 14)
    with Monitor(model) as monitor, register_synops_hooks(model):
        model(x)
    watched, by_hooks = monitor.synops.total, model.hook_data["total_synops_per_timestep"]
    trained = [model[0].weight, model[3].weight]  # the last layer drives nothing that is counted
    ours = torch.autograd.grad(watched, trained, retain_graph=True)
    theirs = torch.autograd.grad(by_hooks, trained)
    for a, b in zip(ours, theirs, strict=True):
        assert a.any()
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)


def test_rates_are_spikes_per_neuron_and_step() -> None:
    model, x = lenet(), spikes(3 * T, 1, 14, 14)
    with Monitor(model) as monitor:
        out = model(x)
    assert torch.equal(monitor.rates["8"], out.mean(0))
    assert monitor.rates.mean["8"].item() == pytest.approx(out.mean().item())
    assert monitor.rates.silent_share["8"] == (out.sum(0) == 0).float().mean()
    assert monitor.rates["8"].requires_grad


def test_shared_layers_and_containers_add_up() -> None:
    shared = nn.Linear(3, 3, bias=False)
    model = nn.Sequential(nn.Sequential(shared, IAF()), nn.Sequential(shared, IAF()))
    x = 2 * spikes(2, T, 3)
    with Monitor(model) as monitor:
        model(x)
    assert list(monitor.synops) == ["0.0"]
    middle = monitor.rates["0.1"].sum().item() * 3
    assert monitor.synops["0.0"].item() == pytest.approx(x.sum().item() * 3 / (2 * T) + middle)


def test_a_shared_layer_goes_by_each_of_its_names() -> None:
    shared = nn.Sequential(nn.Linear(3, 3))
    model = nn.Sequential(shared, nn.Sequential(shared, nn.Linear(3, 2)))
    for names in (["0"], ["1.0"], ["0.0"], ["1.0.0"], ["1.0.0", "0.0"]):
        with Monitor(model, ignore=names) as monitor:
            model(torch.ones(5, 3))
        assert list(monitor.synops) == ["1.1"]
        assert len(monitor.report().ignored) == 1

    class Fires(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0).float()

    fires = Fires()
    model = nn.Sequential(fires, nn.Linear(3, 3), fires)
    for name in ("0", "2"):
        assert Monitor(model, spiking=[name]).spiking_layers == ("0",)


def test_accumulation_and_outer_loops() -> None:
    model = nn.Linear(3, 2)
    frames = spikes(T, 4, 3)
    with Monitor(model, time_axis="outer") as monitor:
        for x in frames:
            model(x)
        assert monitor.synops.per_sample.total.item() == pytest.approx(frames.sum().item() * 2 / 4)
        assert monitor.synops.total.item() == pytest.approx(frames.sum().item() * 2 / 4 / T)
        monitor.reset()
        model(frames[0])
        assert monitor.synops.total.item() == frames[0].sum().item() * 2 / 4
    with Monitor(model, accumulate=True) as monitor:
        model(frames[0])
        model(frames[1][:2])
    both = frames[0].sum() + frames[1][:2].sum()
    assert monitor.synops.total.item() == pytest.approx(both.item() * 2 / 6)
