"""SynOps by sample, time step and channel, against counts of one element at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.layers import IAF, FlattenTime, IAFSqueeze, SumPool2d, UnflattenTime
from tests.synops.brute_force import impulse_count

B, T = 3, 4
ALL = ("sample", "step", "channel")


def spikes(*shape: int) -> Tensor:
    return torch.randint(0, 3, shape).float()


def brute_force(layer: nn.Module, x: Tensor, pruned: bool = False) -> Tensor:
    """`b t c` from `b t c *s`: all but one sample, step and channel silenced."""
    expected = torch.zeros(x.shape[:3])
    for b, t, c in torch.cartesian_prod(*map(torch.arange, x.shape[:3])):
        alone = torch.zeros(1, *x.shape[2:])
        alone[0, c] = x[b, t, c]
        expected[b, t, c] = impulse_count(layer, alone, pruned)
    return expected


def folded_model() -> nn.Sequential:
    return nn.Sequential(
        FlattenTime(),
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, bias=False),
        IAFSqueeze(num_timesteps=T),
        SumPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3, bias=False),
        UnflattenTime(batch_size=B),
    )


@pytest.mark.parametrize("pruned", [False, True])
def test_a_layer_spends_what_its_elements_spend(pruned: bool) -> None:
    model, x = folded_model(), spikes(B, T, 2, 8, 8)
    with torch.no_grad():
        model[1].weight[0] = 0
        model[1].weight.abs_().mul_(3)
    weights: Any = "nonzero" if pruned else "all"
    arrived: list[Tensor] = []
    model[5].register_forward_pre_hook(lambda _, args: arrived.append(args[0].detach()))
    with Monitor(model, detail=ALL, weights=weights) as monitor:
        model(x)
    assert torch.equal(monitor.synops.detail["1"], brute_force(model[1], x, pruned))
    assert torch.equal(monitor.synops.detail["5"], 3 * arrived[0].reshape(B, T, 16))
    assert arrived[0].any()
    for name in ("1", "5"):
        mean = monitor.synops.detail[name].sum(2).mean()
        assert mean.item() == pytest.approx(monitor.synops[name].item(), rel=1e-6)


@pytest.mark.parametrize(
    "axes", [ALL, ("sample",), ("step",), ("channel",), ("step", "sample"), ("channel", "step")]
)
def test_axes_that_are_not_asked_for_are_averaged_or_added_up(axes: tuple[Any, ...]) -> None:
    model, x = folded_model(), spikes(B, T, 2, 8, 8)
    with Monitor(model, detail=axes) as monitor:
        model(x)
    expected = brute_force(model[1], x)
    expected = expected if "channel" in axes else expected.sum(2)
    expected = expected if "step" in axes else expected.mean(1)
    expected = expected if "sample" in axes else expected.mean(0)
    torch.testing.assert_close(monitor.synops.detail["1"], expected)


def test_its_gradient_is_that_of_the_count() -> None:
    model = nn.Sequential(nn.Linear(3, 4), IAF(), nn.Linear(4, 2))
    x = spikes(B, T, 3)
    grads = []
    for detailed in (False, True):
        model[1].reset_states()
        with Monitor(model, detail=ALL) as monitor:
            model(x)
        synops = monitor.synops
        total = synops.detail["2"].sum() / (B * T) if detailed else synops["2"]
        grads.append(torch.autograd.grad(total, model[0].weight)[0])
    assert grads[0].any()
    torch.testing.assert_close(*grads)


class Coincidences(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x[..., :2, :] * 1.0) @ x[..., 2:, :].mT


def test_spikes_that_meet_spikes_are_put_where_the_first_operand_has_them() -> None:
    x = spikes(B, T, 5, 6).requires_grad_()
    model = Coincidences()
    with Monitor(model, detail=ALL, time_axis="bt", inputs="spikes") as monitor:
        model(x)
    q, k = x[..., :2, :], x[..., 2:, :]
    expected = q.sum(2) * k.sum(2)
    (detail,) = monitor.synops.detail.values()
    torch.testing.assert_close(detail, expected)
    weights = torch.rand(B, T, 6)
    torch.testing.assert_close(
        *(torch.autograd.grad((d * weights).sum(), x)[0] for d in (detail, expected))
    )


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.neuron, self.out = nn.Linear(3, 5), Step(), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.out(self.neuron(self.fc(x[:, t]))) for t in range(T)], 1)


class Step(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x > 0.1).float()


def test_a_loop_over_time_in_the_model_or_outside() -> None:
    model, x = Loop(), spikes(B, T, 3)
    with Monitor(model, detail=ALL, spiking=[Step], inputs="spikes") as monitor:
        model(x)
    assert torch.equal(monitor.synops.detail["fc"], 5 * x)
    layer = nn.Sequential(nn.Linear(3, 5))
    with Monitor(layer, detail=ALL, inputs="spikes", time_axis="outer") as monitor:
        for t in range(T):
            layer(x[:, t])
    assert torch.equal(monitor.synops.detail["0"], 5 * x)
    with Monitor(layer, detail=ALL, inputs="spikes", time_axis="bt", accumulate=True) as monitor:
        layer(x)
        layer(2 * x[:2])
    assert torch.equal(monitor.synops.detail["0"], 5 * torch.cat([x, 2 * x[:2]]))


@pytest.mark.parametrize("time_axis", ["tb", "bt", "folded"])
def test_wherever_time_is(time_axis: Any) -> None:
    layer, x = nn.Sequential(nn.Linear(3, 5)), spikes(B, T, 3)
    data = {"tb": x.transpose(0, 1), "bt": x, "folded": x.flatten(0, 1)}[time_axis]
    monitor = Monitor(layer, detail=ALL, time_axis=time_axis, num_timesteps=T)
    with monitor, torch.inference_mode():
        layer(data)
    assert torch.equal(monitor.synops.detail["0"], 5 * x)


def test_dense_values_spend_no_synops_anywhere() -> None:
    layer = nn.Sequential(nn.Linear(3, 5))
    for inputs in ("auto", "dense"):
        with Monitor(layer, detail=ALL, time_axis="bt", inputs=inputs) as monitor:  # type: ignore[arg-type]
            layer(torch.rand(B, T, 3))
        assert torch.equal(monitor.synops.detail["0"], torch.zeros(B, T, 3))


def test_embeddings() -> None:
    model = nn.Sequential(nn.Embedding(7, 4))
    with Monitor(model, detail=("sample", "step"), time_axis="bt") as monitor:
        model(torch.randint(0, 7, (B, T)))
    assert torch.equal(monitor.synops.detail["0"], torch.full((B, T), 4.0))
    with Monitor(model, detail=ALL, time_axis="bt") as monitor:
        model(torch.randint(0, 7, (B, T)))
    assert torch.equal(monitor.synops.detail["0"], torch.full((B, T, 1), 4.0))


class Readout(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.neuron, self.head = IAF(), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.neuron(x).sum(1))


def test_a_layer_behind_the_sum_over_time_has_no_steps() -> None:
    model = Readout()
    with Monitor(model, detail=("step",)) as monitor:
        model(spikes(B, T, 3))
    assert monitor.synops["head"] >= 0
    with pytest.raises(ValueError, match="no detail for 'head'"):
        monitor.synops.detail["head"]


def test_it_is_kept_only_on_request_and_outputs_stay() -> None:
    model, x = folded_model(), spikes(B, T, 2, 8, 8)
    expected = model(x)
    model[2].reset_states()
    with Monitor(model, detail=ALL):
        assert torch.equal(model(x), expected)
    with Monitor(model) as monitor:
        model(x)
    with pytest.raises(RuntimeError, match="Pass detail="):
        _ = monitor.synops.detail
    with pytest.raises(ValueError, match="detail is 'time'"):
        Monitor(model, detail=("time",))  # type: ignore[arg-type]
