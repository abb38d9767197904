"""Modules that a model runs without listing them: in a plain list, in a closure, made on the way."""

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor


class InAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.listed = nn.Linear(4, 2)
        self.others = [nn.Linear(8, 3), nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 4))]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.listed(self.others[1](x)) + self.others[0](x).sum(-1, keepdim=True)
        return out


@pytest.mark.parametrize("weights", ["all", "nonzero"])
def test_a_layer_in_a_plain_list_is_counted(weights: str) -> None:
    model, x = InAList(), (torch.rand(5, 8) < 0.5).float()
    for _ in range(2):
        with Monitor(model, weights=weights) as monitor:  # type: ignore[arg-type]
            model(x)
        assert monitor.synops.per_sample.total.item() * 5 == pytest.approx(x.sum().item() * (3 + 4))
        assert monitor.macs.per_sample.total == 4 * 4 + 4 * 2


def test_a_forward_that_was_replaced_is_counted() -> None:
    model, more = nn.Sequential(nn.Linear(8, 3)), nn.Linear(8, 3)
    plain = model[0].forward
    model[0].forward = lambda x: plain(x) + more(x)  # as adapters are put on
    x = (torch.rand(5, 8) < 0.5).float()
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 5 == pytest.approx(x.sum().item() * (3 + 3))


def test_a_parameter_that_nothing_uses_is_named() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.forgotten = (nn.Parameter(torch.rand(8, 3)) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.used

    model = Unused()
    with (
        pytest.raises(NotImplementedError, match="delete the parameter 'forgotten'"),
        Monitor(model),
    ):
        model(torch.ones(5, 8))
