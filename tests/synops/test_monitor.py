"""Whole models under the Monitor, against counts by hand and the hooks."""

import copy
import gc
import io
import pickle
import subprocess
import sys
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import picojoule
from picojoule import Monitor
from picojoule.hooks import register_synops_hooks
from picojoule.layers import (
    IAF,
    FlattenTime,
    IAFRecurrent,
    IAFSqueeze,
    Merge,
    SpikingMaxPooling2dLayer,
    SumPool2d,
    UnflattenTime,
)
from picojoule.training.lenet import lenet as seeds_network
from tests.synops.brute_force import impulse_count

T = 5


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        IAFSqueeze(num_timesteps=T),
        SumPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular", bias=False),
        IAFSqueeze(num_timesteps=T),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 3 * 3, 5, bias=False),
        IAFSqueeze(num_timesteps=T),
    )


def spikes(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape).float()


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


class Block(nn.Module):
    """A spiking residual block."""

    def __init__(self, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.constant_(self.norm.weight, 2.0)
        self.spike = IAFSqueeze(num_timesteps=T)
        self.short = nn.Conv2d(width, width, 1, stride, bias=False)
        self.short_spike = IAFSqueeze(num_timesteps=T)
        self.merge = Merge()

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(self.spike(self.norm(self.conv(x))), self.short_spike(self.short(x)))


def test_a_spiking_resnet() -> None:
    model = nn.Sequential(
        Block(2), Block(2, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)
    )
    inputs: dict[str, Tensor] = {}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, args, name=name: inputs.__setitem__(name, args[0])
            )
    pooled: list[Tensor] = []
    model[2].register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    with Monitor(model) as monitor:
        model(3 * spikes(2 * T, 2, 7, 7))
    assert set(monitor.synops) == {*inputs, "4"}
    for name, x in inputs.items():
        expected = impulse_count(model.get_submodule(name), x, False)
        assert monitor.synops.per_sample[name] * 2 == expected, name
    assert (inputs["1.conv"] == 2).any()  # merged branches: graded spikes
    assert monitor.synops.per_sample["4"].item() * 2 == pytest.approx(3 * pooled[0].sum().item())
    assert monitor.macs.total.item() == 0


class SpikingAttention(nn.Module):
    """As in Spikformer: queries, keys and values are spikes, and there is no softmax."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.spikes = nn.ModuleList(
            IAFSqueeze(num_timesteps=T, spike_threshold=0.2) for _ in range(4)
        )
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(w(x)) for f, w in zip(self.spikes, (self.q, self.k, self.v), strict=False))
        self.seen = q, k, v
        attention = (q @ k.transpose(-2, -1)) * 0.125
        y = self.spikes[3](attention @ v)
        self.seen += (y,)
        return self.out(y)


def test_a_spikformer_block() -> None:
    model, x = SpikingAttention(6), spikes(2 * T, 4, 6)
    with Monitor(model) as monitor:
        model(x)
    q, k, v, y = model.seen
    expected = {
        "q": x.sum() * 6,
        "k": x.sum() * 6,
        "v": x.sum() * 6,
        "matmul#0": (q @ k.mT).sum(),
        "matmul#1": v.sum() * 4,
        "out": y.sum() * 6,
    }
    assert {n: c.item() * 2 for n, c in monitor.synops.per_sample.items()} == {
        name: pytest.approx(count.item()) for name, count in expected.items()
    }
    assert q.sum() > 0
    assert v.sum() > 0


def test_a_recurrent_network_counts_its_feedback() -> None:
    layer = IAFRecurrent(nn.Sequential(nn.Flatten(), nn.Linear(4, 4, bias=False)))
    model, x = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2)), 2 * spikes(2, T, 3)
    with Monitor(model) as monitor:
        model(x)
    hidden: list[Tensor] = []
    model[2].register_forward_pre_hook(lambda _, args: hidden.append(args[0]))
    picojoule.reset_states(model)
    model(x)
    made = hidden[0]
    assert made.sum() > 0
    expected = {
        "0": x.sum() * 4,
        "1.rec_connect.1": made.sum() * 4,  # the last step's is kept for the next call
        "2": made.sum() * 2,
    }
    measured = {name: count.item() * 2 for name, count in monitor.synops.per_sample.items()}
    assert measured == {name: pytest.approx(count.item()) for name, count in expected.items()}


class Functional(nn.Module):
    """Nothing but functions, in a loop over time."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.rand(6, 3))
        self.u = nn.Parameter(torch.rand(2, 6))
        self.k = nn.Parameter(torch.rand(1, 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        out, v = [], torch.zeros(len(x), 6)
        for t in range(x.shape[1]):
            v = 0.9 * v + F.linear(x[:, t], self.w)
            s = (v > 1).float()
            v = v - s
            wide = F.conv1d(s.unsqueeze(1), self.k).flatten(1)
            out.append(
                torch.einsum("bi,oi->bo", s, self.u) + (x[:, t] @ self.w.t())[:, :2] + wide[:, :2]
            )
        return torch.stack(out, 1)


def test_a_functional_model_in_a_loop() -> None:
    model, x = Functional(), spikes(2, T, 3)
    with Monitor(model, time_axis="bt") as monitor:
        model(x)
    assert list(monitor.synops) == ["linear#0", "conv1d#0", "einsum#0", "matmul#0"]
    measured = {name: count.item() * 2 for name, count in monitor.synops.per_sample.items()}
    assert measured["linear#0"] == x.sum() * 6 == measured["matmul#0"]
    assert monitor.macs.total.item() == 0
    with torch.no_grad():
        v, count, pairs = torch.zeros(2, 6), 0.0, 0.0
        for t in range(T):
            v = 0.9 * v + F.linear(x[:, t], model.w)
            s = (v > 1).float()
            v = v - s
            count += s.sum() * 2
            pairs += s.sum() * 2 - s[:, 0].sum() - s[:, -1].sum()
    assert measured["einsum#0"] == pytest.approx(count.item())
    assert measured["conv1d#0"] == pytest.approx(pairs.item())


FOLLOWED: list[tuple[Any, float]] = [
    (lambda s: s / 4, 1.0),
    (lambda s: F.avg_pool2d(s, 2), 1.0),
    (lambda s: F.avg_pool2d(s, 4, stride=4, padding=1, count_include_pad=False), 1.0),
    (lambda s: F.avg_pool2d(s, 4, ceil_mode=True), 1.0),
    (lambda s: F.adaptive_avg_pool2d(s, 4), 1.5 * 1.5 + 0 * 1),
    (lambda s: s.mean((2, 3), keepdim=True), 1.0),
    (lambda s: F.lp_pool2d(s, 1, 2), 1.0),
    (lambda s: torch.cat([s, s], 1)[:, :2] * -0.3, 1.0),
    (lambda s: s + s, 2.0),
    (lambda s: F.pad(s, (1, 1, 1, 1), mode="circular")[..., 1:-1, 1:-1], 1.0),
    (lambda s: torch.stack(s.unbind(1), 1).permute(0, 1, 3, 2), 1.0),
    (lambda s: F.dropout(s, 0.5, training=False), 1.0),
    (lambda s: s * torch.tensor(0.7), 1.0),
    (lambda s: F.interpolate(s, scale_factor=2), 4.0),
    (lambda s: s.clone().mul_(0.3).relu_().div_(7), 1.0),
    (lambda s: F.dropout(s.clone(), 0.5, False, True).add_(s).neg_(), 2.0),
    (lambda s: torch.zeros(4, 2, 6, 6).index_add_(0, torch.tensor([1, 3]), s / 3), 1.0),
    (lambda s: torch.cat([s[:, :1] / 3, s[:, 1:] / 5], 1).flatten(1), 1.0),
    (lambda s: torch.where(s > 1, s - 1, torch.zeros(())) + s.clamp(max=1), 1.0),
]


class Follow(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.spike, self.function = IAFSqueeze(num_timesteps=1), function
        self.weight = nn.Parameter(torch.rand(3, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.function(self.spike(x))
        return y.flatten().unsqueeze(-1) @ self.weight.t()


@pytest.mark.parametrize(("function", "copies"), FOLLOWED)
def test_spikes_count_as_the_spikes_they_were(function: Any, copies: float) -> None:
    x = torch.randint(0, 4, (2, 2, 6, 6)).float()
    model = Follow(function)
    if (
        copies == 1.5 * 1.5
    ):  # windows of 2, 2, 2, 2 out of 6 overlap; count each window that holds it
        reached = torch.zeros(6)
        for i in range(4):
            reached[i * 6 // 4 : -(-(i + 1) * 6 // 4)] += 1
        expected = (x * reached[:, None] * reached).sum() * 3
    else:
        expected = x.sum() * copies * 3
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 2 == pytest.approx(expected.item(), rel=1e-5)
    assert monitor.macs.total.item() == 0


def test_dropped_spikes_are_not_counted_and_the_others_once() -> None:
    x = torch.randint(1, 4, (2, 2, 6, 6)).float()
    kept: list[Tensor] = []

    def drop(s: Tensor) -> Tensor:
        kept.append(F.dropout(s, 0.75, training=True))
        return kept[-1]

    model = Follow(drop)
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 2 == (kept[0] / 4).sum().item() * 3


@pytest.mark.parametrize("function", [nn.BatchNorm2d(2), torch.sigmoid, lambda s: s + 0.5])
def test_what_is_no_longer_spikes_is_dense(function: Any) -> None:
    model = Follow(function)
    with Monitor(model) as monitor:
        model(torch.randint(0, 4, (2, 2, 6, 6)).float())
    assert monitor.synops.total.item() == 0
    assert monitor.macs.total.item() == 2 * 36 * 3


def test_values_changed_in_place_are_judged_anew() -> None:
    def in_place(s: Tensor) -> Tensor:
        y = s.clone()
        y[:, 0].mul_(0.3)
        return y

    model = Follow(in_place)
    with Monitor(model) as monitor:
        model(torch.randint(0, 4, (2, 2, 6, 6)).float())
    assert monitor.macs.total.item() == 2 * 36 * 3


def test_a_buffer_filled_with_spikes_is_spikes() -> None:
    def fill(s: Tensor) -> Tensor:
        y = torch.zeros(len(s), 3, 6, 6)
        for i in range(len(s)):
            y[i, :2] = s[i] / 3
        return y

    x = torch.randint(0, 4, (2, 2, 6, 6)).float()
    model = Follow(fill)
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 2 == pytest.approx(x.sum().item() * 3)


def test_pruned_weights_are_no_synapses() -> None:
    model, x = lenet(), spikes(T, 1, 14, 14)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(torch.rand_like(parameter) < 0.5)
    with Monitor(model, weights="nonzero") as monitor:
        model(x)
    assert monitor.synops.per_sample["0"] == impulse_count(model[0], x, True)


def test_spiking_max_pooling_keeps_the_unit() -> None:
    model = nn.Sequential(
        nn.Unflatten(1, (T, 1)),
        IAF(),
        SpikingMaxPooling2dLayer(2),
        FlattenTime(),
        nn.Flatten(),
        nn.Linear(9, 2),
        UnflattenTime(2),
    )
    seen: list[Tensor] = []
    model[5].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with Monitor(model) as monitor:
        model(spikes(2, T, 6, 6))
    assert monitor.synops.per_sample["5"] * 2 == seen[0].sum() * 2


def test_shared_layers_and_containers_add_up() -> None:
    shared = nn.Linear(3, 3, bias=False)
    model = nn.Sequential(nn.Sequential(shared, IAF()), nn.Sequential(shared, IAF()))
    x = 2 * spikes(2, T, 3)
    with Monitor(model) as monitor:
        model(x)
    assert list(monitor.synops) == ["0.0"]
    middle = monitor.rates["0.1"].sum().item() * 3
    assert monitor.synops["0.0"].item() == pytest.approx(x.sum().item() * 3 / (2 * T) + middle)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_layers_are_counted_once(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

        def body(self, x: Tensor) -> Tensor:
            return self.b((self.a(x) > 0).float() * 2)

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.body, x, use_reentrant=reentrant)

    model = Checkpointed()
    x = spikes(2, 3).requires_grad_()
    with Monitor(model) as monitor:
        model(x).sum().backward()
        before = monitor.synops.total.item()
        if not reentrant:
            monitor.synops.total.backward()
    assert monitor.synops["a"].item() == x.sum().item() * 4 / 2
    assert monitor.synops.total.item() == before


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("autocast", [False, True])
def test_gradient_modes_and_autocast_leave_the_count(mode: Any, autocast: bool) -> None:
    model, x = lenet().eval(), spikes(3 * T, 1, 14, 14)
    with torch.no_grad():
        for parameter in model.parameters():  # exact in bfloat16
            parameter.copy_(parameter.sign() / 4)
    with Monitor(model) as monitor:
        model(x)
        plain = monitor.synops.total.item()
        picojoule.reset_states(model)
        with mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            model(x)
    assert monitor.synops.total.item() == pytest.approx(plain, rel=1e-6)


def test_copies_and_pickles_of_a_watched_model_are_not_watched() -> None:
    model, x = lenet(), spikes(T, 1, 14, 14)
    with Monitor(model) as monitor:
        model(x)
        before = monitor.synops.total.item()
        for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            copied(1 - x)
            torch.save(copied, io.BytesIO())
        assert monitor.synops.total.item() == before
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("way", ["wrapped", "inside", "in place", "region"])
def test_a_compiled_model_is_watched_uncompiled(way: str) -> None:
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), spikes(5, 3)
    torch._dynamo.reset()
    call: Any = model
    if way in ("wrapped", "inside"):
        call = torch.compile(model, backend="eager")
    elif way == "in place":
        model.compile(backend="eager")
    else:
        model[0].compile(backend="eager")
    call(x)
    with Monitor(call if way == "wrapped" else model) as monitor:
        call(x)
    assert monitor.synops["0"].item() == pytest.approx(x.sum().item() * 4 / 5)
    call(x)  # compiled again
    assert (model._compiled_call_impl is not None) == (way == "in place")


def test_compiling_under_watch_runs_uncompiled_or_says_what_to_do() -> None:
    code = """if True:
        import sys, torch, picojoule
        model, x = torch.nn.Linear(3, 2), torch.ones(5, 3)
        for known in (False, True):  # to Picojoule: that there is a compiler
            assert ("torch._dynamo" in sys.modules) == known
            with picojoule.Monitor(model) as monitor:
                compiled = torch.compile(model, backend="eager")
                try:
                    compiled(x)
                    print(monitor.synops.total.item())
                except RuntimeError as error:
                    print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refused, counted = done.stdout.strip().splitlines()
    assert "Compile it first, then attach the Monitor" in refused
    assert counted == "6.0"


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


def test_a_failing_forward_leaves_nothing_behind() -> None:
    model = lenet()
    before = len(torch.nn.modules.module._global_forward_hooks)
    with Monitor(model) as monitor:
        with pytest.raises(RuntimeError):
            model(torch.zeros(T, 2, 14, 14))
        assert len(torch.nn.modules.module._global_forward_hooks) == before
        assert not torch._C._len_torch_function_stack()
        model(spikes(T, 1, 14, 14))
        assert monitor.synops.total.item() > 0


def test_a_monitor_that_is_forgotten_lets_compiled_code_be() -> None:
    def forget() -> None:
        model = nn.Linear(3, 2)
        picojoule.Monitor(model).attach()
        model(torch.ones(1, 3))

    import torch._dynamo

    forget()
    gc.collect()
    seen: list[bool] = []

    @torch.compile(backend="eager", fullgraph=True)
    def compiled(x: torch.Tensor) -> torch.Tensor:
        seen.append(torch.compiler.is_compiling())
        return x + 1

    compiled(torch.ones(1))
    assert seen == [True]
