"""The two hinges: zero where the target is kept, without unit, with the right slope."""

import pytest
import torch

from picojoule.budget import rate_shortfall, synops_excess


def counts(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_the_unit_of_the_target_does_not_matter(unit: float) -> None:
    layers = counts(3 * unit, 1.5 * unit, 0.5 * unit)
    assert synops_excess(layers, unit).item() == pytest.approx(2.0**2 + 0.5**2)
    rates = torch.tensor([0.0, 0.5, 1.0, 2.0]) * unit
    assert rate_shortfall([rates], unit).item() == pytest.approx((1 + 0.25) / 4)


def test_layers_within_the_target_cost_nothing() -> None:
    assert synops_excess(counts(1.0, 0.2, 0.0), 1.0).item() == 0.0
    assert rate_shortfall([torch.tensor([0.1, 0.5])], 0.1).item() == 0.0


def test_a_layer_that_training_cannot_change_is_left_out() -> None:
    assert synops_excess([torch.tensor(100.0)], 1.0).item() == 0.0


def test_silent_neurons_cost_one_a_layer_at_most() -> None:
    layers = [torch.zeros(7), torch.zeros(2, 3)]
    assert rate_shortfall(layers, 0.25).item() == 2.0


def test_gradients_equal_finite_differences() -> None:
    layers = counts(3.0, 1.5, 0.5)
    assert torch.autograd.gradcheck(lambda *x: synops_excess(x, 1.0), layers)
    rates = torch.tensor([0.1, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rate_shortfall([x], 0.5), [rates])


def test_no_layers_cost_nothing() -> None:
    assert synops_excess([], 1.0).item() == rate_shortfall([], 1.0).item() == 0.0


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan")])
def test_a_target_that_is_no_amount_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="synops_excess: the target is"):
        synops_excess(counts(1.0), target)
    with pytest.raises(ValueError, match="rate_shortfall: the target is"):
        rate_shortfall([torch.zeros(1)], target)
