"""What peers' neurons do inside, and what spikes are worth that are not worth 1."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import Monitor

pytestmark = pytest.mark.filterwarnings("ignore:(?!Monitor)")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    snntorch = pytest.importorskip("snntorch")
    jelly = pytest.importorskip("spikingjelly.activation_based.neuron")
    jelly_layer = pytest.importorskip("spikingjelly.activation_based.layer")

T, B = 5, 3


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()


class Steps(nn.Module):
    """Calls a neuron with a state step by step."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.cell(step) for step in x])


def totals(
    model: nn.Module, x: Tensor, **options: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """SynOps and MACs by name, of all samples."""
    with Monitor(model, **options) as monitor:
        model(x)
    counts = (monitor.synops.per_sample, monitor.macs.per_sample)
    first, second = ({k: v.item() * B for k, v in each.items()} for each in counts)
    return first, second


@pytest.mark.parametrize("reset", ["none", "subtract", "zero"])
def test_the_hidden_channels_of_a_convolutional_lstm_are_potentials(reset: str) -> None:
    cell = snntorch.SConv2dLSTM(2, 3, 3, init_hidden=True, threshold=0.1, reset_mechanism=reset)
    x = spikes(T, B, 2, 6, 6)
    synops, macs = totals(Steps(cell), x)
    fan_out = F.conv2d(torch.ones(1, 1, 6, 6), torch.ones(1, 1, 3, 3), padding=1) * 12
    assert synops == {"cell": pytest.approx((x * fan_out).sum().item())}
    assert macs == {"cell": pytest.approx(T * B * 3 * fan_out.sum().item())}


def test_the_hidden_values_of_a_lstm_are_potentials() -> None:
    x = spikes(T, B, 4)
    synops, macs = totals(Steps(snntorch.SLSTM(4, 4, init_hidden=True, threshold=0.1)), x)
    assert synops == {"cell.lstm_cell": pytest.approx(x.sum().item() * 16)}
    assert macs == {"cell.lstm_cell": pytest.approx((T - 1) * B * 4 * 16)}


@pytest.mark.parametrize("kind", ["RLeaky", "RSynaptic"])
@pytest.mark.parametrize("weight", [0.5, torch.full((4,), 0.5)], ids=["one", "each"])
def test_spikes_that_come_back_to_their_own_neuron(kind: str, weight: Any) -> None:
    more = {"alpha": 0.5} if kind == "RSynaptic" else {}
    cell = getattr(snntorch, kind)(beta=0.9, V=weight, all_to_all=False, init_hidden=True, **more)
    made = list[Tensor]()
    cell.register_forward_hook(lambda *call: made.append(call[2].detach()))
    synops, _ = totals(Steps(cell), 2 * torch.rand(T, B, 4))
    again = torch.stack(made[:-1]).sum().item()
    assert again > 0
    assert synops == {"cell.recurrent": pytest.approx(again)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: snntorch.StateLeaky(0.9, 4),
        lambda: jelly.PSN(T),
        lambda: jelly.MaskedPSN(k=2, T=T, step_mode="m"),
        lambda: jelly.SlidingPSN(k=2, step_mode="m"),
    ],
    ids=["StateLeaky", "PSN", "MaskedPSN", "SlidingPSN"],
)
def test_every_pass_counts_the_same(make: Any) -> None:
    model, x = nn.Sequential(make()), torch.rand(T, B, 4)
    with Monitor(model) as monitor:
        seen = []
        for _ in range(3):
            model(x)
            seen.append({name: count.item() for name, count in monitor.macs.items()})
    assert seen[0] == seen[1] == seen[2]
    assert sum(seen[0].values()) > 0


# ---- what one spike is worth


class Graded(nn.Module):
    """A neuron of the user's, whose output is what `values` says, in turn."""

    def __init__(self, *values: list[float]) -> None:
        super().__init__()
        self.values = torch.tensor(values)

    def forward(self, x: Tensor) -> Tensor:
        return self.values.expand(len(x), *self.values.shape)[:, 0] + 0 * x


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ([0.0, 0.25, 0.25], 2),  # worth a threshold
        ([0.0, 0.25, 0.75], 4),  # several of a threshold
        ([0.5, 0.75, 0.0], 5),  # the smallest is not the unit
        ([0.0, 1.0, 3.0], 4),
        ([0.1, 0.0, -0.3], 4),  # as exact as floats are
        ([1 / 3, 2 / 3, 1.0], 6),
        ([0.0, 0.0, 0.0], 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_spikes_of_a_named_module_are_counted_by_what_one_is_worth(
    values: list[float], number: int, dtype: torch.dtype
) -> None:
    model = nn.Sequential(Graded(values), nn.Linear(3, 2)).to(dtype)
    model[0].values = model[0].values.to(dtype)
    near = torch.finfo(dtype).eps  # values are rounded, so their numbers are
    for names in (["0"], [Graded]):
        with Monitor(model, spiking=names, time_axis="loop") as monitor:
            for _ in range(2):  # the first pass looks, the second checks
                model(torch.rand(B, 3, dtype=dtype))
                assert monitor.synops["1"].item() == pytest.approx(2 * number, rel=near)
                assert monitor.rates["0"].sum().item() == pytest.approx(number, rel=near)
                assert monitor.macs["1"].item() == 0


def test_values_of_no_common_unit_are_dense() -> None:
    model = nn.Sequential(Graded([0.0, 0.31, 0.77]), nn.Linear(3, 2))
    with Monitor(model, spiking=["0"], time_axis="loop") as monitor:
        for _ in range(2):
            model(torch.rand(B, 3))
            assert (monitor.synops["1"].item(), monitor.macs["1"].item()) == (0, 6)
            assert "0" not in monitor.rates


def test_a_layer_that_changes_its_unit_is_not_counted_by_the_old_one() -> None:
    model = nn.Sequential(Graded([0.0, 0.25, 0.75]), nn.Linear(3, 2))
    with Monitor(model, spiking=["0"], time_axis="loop") as monitor:
        model(torch.rand(B, 3))
        model[0].values = torch.tensor([[0.0, 0.4, 0.8]])
        model(torch.rand(B, 3))
    assert (monitor.synops["1"].item(), monitor.macs["1"].item()) == (6, 0)  # one spike and two


def test_a_learned_grade_and_the_gradient_of_its_count() -> None:
    """d SynOps / d factor = 0: a spike that is worth more is still one."""
    model = nn.Sequential(
        snntorch.Leaky(
            beta=0.5, init_hidden=True, graded_spikes_factor=0.25, learn_graded_spikes_factor=True
        ),
        nn.Linear(4, 2),
    )
    with Monitor(model) as monitor:
        out = model(3 * torch.rand(B, 4) + 1.1)
    monitor.synops["1"].backward(retain_graph=True)
    assert monitor.synops["1"].item() == 4 * 2
    assert model[0].graded_spikes_factor.grad.abs() < 1e-6
    out.sum().backward()


# ---- across forward passes


@pytest.mark.parametrize("p", [0.5, 0.2])
def test_a_dropout_mask_that_lives_over_the_steps(p: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(jelly.IFNode(), jelly_layer.Dropout(p), nn.Linear(32, 10)).train()
    heard = list[Tensor]()
    model[2].register_forward_pre_hook(lambda _, args: heard.append(args[0].detach().clone()))
    with Monitor(model, time_axis="outer") as monitor:
        for step in 2 * torch.rand(T, B, 32):
            model(step)
    expected = sum((x != 0).sum().item() for x in heard) * 10
    assert expected > 0
    assert monitor.synops.per_sample["2"].item() * B == pytest.approx(expected)
    assert monitor.macs.total.item() == 0


def test_state_that_is_handed_from_call_to_call_keeps_what_it_is_and_frees_its_graph() -> None:
    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.back = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor, trace: Tensor) -> tuple[Tensor, Tensor]:
            return self.fc(x) + self.back(trace), 0.5 * x

    model, x = Again(), spikes(T, B, 4)
    trace = torch.zeros(B, 4)
    with Monitor(model, time_axis="outer") as monitor:
        for step in x:
            y, trace = model(step, trace)
            y.sum().backward()
    assert monitor.synops.per_sample["back"].item() * B == pytest.approx(x[:-1].sum().item() * 4)
    assert monitor.macs.total.item() == 0
