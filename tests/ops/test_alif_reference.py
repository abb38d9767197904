"""The adaptive neuron against a loop over plain numbers."""

import math
from typing import Any

import pytest
import torch

from picojoule.activation import MembraneReset, MembraneSubtract, MultiSpike, SingleSpike
from picojoule.ops import ALIFState, alif

GENERATOR = torch.Generator().manual_seed(3)
CURRENT = torch.randn(2, 12, 3, dtype=torch.float64, generator=GENERATOR) + 0.7
ALPHA_MEM, ALPHA_ADAPT = math.exp(-1 / 4), math.exp(-1 / 5)


def by_hand(
    inputs: list[float],
    alpha_syn: float | None,
    norm: bool,
    low: float | None,
    multi: bool,
    reset: Any,
) -> tuple[list[float], float, float]:
    """Spikes, last potential and last trace of one neuron."""
    v = b = i = 0.0
    spikes = []
    for x in inputs:
        i = alpha_syn * (i + x) if alpha_syn else x
        v = ALPHA_MEM * v + ((1 - ALPHA_MEM) * i if norm else i)
        threshold = 0.5 + 1.8 * b
        s = max(math.floor(v / threshold), 0) if multi else float(v >= threshold)
        if isinstance(reset, MembraneSubtract):
            v -= s * threshold
        elif s:
            v = reset.reset_value
        if low is not None:
            v = max(v, low)
        b = ALPHA_ADAPT * b + (1 - ALPHA_ADAPT) * s
        spikes.append(float(s))
    return spikes, v, b


@pytest.mark.parametrize("alpha_syn", [None, math.exp(-1 / 3)])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("low", [None, -0.2])
@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("reset", [MembraneSubtract(), MembraneReset(-0.1)])
def test_equals_a_loop_over_plain_numbers(
    alpha_syn: float | None, norm: bool, low: float | None, multi: bool, reset: Any
) -> None:
    out = alif(
        CURRENT,
        alpha_mem=ALPHA_MEM,
        alpha_adapt=ALPHA_ADAPT,
        alpha_syn=alpha_syn,
        threshold=0.5,
        norm_input=norm,
        min_v_mem=low,
        spike=MultiSpike() if multi else SingleSpike(),
        reset=reset,
        impl="reference",
    )
    for sample in range(2):
        for neuron in range(3):
            spikes, v, b = by_hand(
                CURRENT[sample, :, neuron].tolist(), alpha_syn, norm, low, multi, reset
            )
            assert out.spikes[sample, :, neuron].tolist() == spikes
            assert out.state.v_mem[sample, neuron].item() == pytest.approx(v, abs=1e-12)
            assert out.state.b[sample, neuron].item() == pytest.approx(b, abs=1e-12)
    assert out.spikes.sum() > 0


class SmoothSpike:
    """A spike function that is its own derivative's primitive: torch differentiates it itself."""

    required_states = ("v_mem",)

    @staticmethod
    def apply(v_mem: torch.Tensor, threshold: torch.Tensor, surrogate: Any) -> torch.Tensor:
        return torch.sigmoid(4 * (v_mem - threshold))


@pytest.mark.parametrize("alpha_syn", [None, 0.7])
@pytest.mark.parametrize("norm", [False, True])
def test_gradients_are_those_of_finite_differences(alpha_syn: float | None, norm: bool) -> None:
    def run(current: Any, v: Any, b: Any, mem: Any, adapt: Any, scale: Any, threshold: Any) -> Any:
        state = ALIFState(v, b, None if alpha_syn is None else torch.zeros_like(v))
        out = alif(
            current, state, alpha_mem=mem, alpha_adapt=adapt, alpha_syn=alpha_syn,
            adapt_scale=scale, threshold=threshold, norm_input=norm, spike=SmoothSpike, impl="reference",
        )  # fmt: skip
        return out.spikes, out.state.v_mem, out.state.b

    values = [CURRENT[:, :5], torch.rand(2, 3), torch.rand(2, 3)]
    values += [torch.tensor(x) for x in (0.8, 0.7, 1.5, 0.9)]
    assert torch.autograd.gradcheck(run, [x.detach().double().requires_grad_() for x in values])


def test_an_unknown_implementation_is_named() -> None:
    with pytest.raises(ValueError, match="alif: impl is 'cuda'; choose 'auto' or one of"):
        alif(CURRENT, alpha_mem=1.0, alpha_adapt=1.0, impl="cuda")


def test_a_state_that_does_not_fit_is_named() -> None:
    wrong = ALIFState(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"alif: state b has shape \(2, 4\).* = \(2, 3\)"):
        alif(CURRENT, wrong, alpha_mem=1.0, alpha_adapt=1.0)
