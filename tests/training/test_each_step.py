"""The answers after each time step are those to the frames up to it, with their gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from picojoule.layers import IAF, StatefulLayer
from picojoule.training.answers.answers import Answers
from tests.training.networks import CLASSES, INPUTS
from tests.training.test_readout import FRAMES as FEW
from tests.training.test_readout import adaptive, folded, linear_last, recurrent, squeezed

FRAMES = 8 * FEW  # for spikes in most steps
TIME = FRAMES.shape[1]


def strong(build: Callable[[], nn.Module]) -> nn.Module:
    """With weights large enough for spikes in most steps."""
    torch.manual_seed(0)
    model = build()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(3).add_(0.3)
    return model


def two_thresholds() -> nn.Module:
    thresholds = torch.linspace(0.5, 2, CLASSES)
    return nn.Sequential(nn.Linear(INPUTS, CLASSES), IAF(spike_threshold=thresholds))


def prefixes(answers: Answers) -> Tensor:
    return torch.stack([answers(FRAMES[:, :t]) for t in range(1, TIME + 1)], 1)


@pytest.mark.parametrize("readout", ["auto", "count"])
@pytest.mark.parametrize("build", [squeezed, recurrent, adaptive, two_thresholds, linear_last])
def test_the_answer_after_a_step_is_that_to_the_frames_up_to_it(
    build: Callable[[], nn.Module], readout: str
) -> None:
    model = strong(build)
    answers = Answers(model, model, readout)  # type: ignore[arg-type]
    answers(FRAMES)
    gradients = []
    for read in (lambda: answers.by_step(FRAMES), lambda: prefixes(answers)):
        model.zero_grad()
        found = read()
        (found * torch.arange(1.0, TIME + 1).view(-1, 1)).sum().backward()
        gradients.append((found.detach(), *(each.grad for each in model.parameters() if each.grad is not None)))  # fmt: skip
    torch.testing.assert_close(gradients[0], gradients[1])
    assert bool((gradients[0][0] >= 1).any())


@pytest.mark.parametrize("build", [squeezed, folded, recurrent, adaptive, linear_last])
def test_the_last_is_the_answer_of_a_call_and_nothing_is_left_recorded(
    build: Callable[[], nn.Module],
) -> None:
    model = strong(build)
    answers = Answers(model, model, "auto")
    torch.testing.assert_close(answers.by_step(FRAMES)[:, -1], answers(FRAMES))
    layers = [layer for layer in model.modules() if isinstance(layer, StatefulLayer)]
    assert [(layer.record_states, layer.recordings) for layer in layers] == [(False, {})] * len(
        layers
    )


class Own(StatefulLayer):
    """Neurons of a user's own, which record nothing."""

    spike_threshold = 1.0

    def __init__(self) -> None:
        super().__init__(["v_mem"])

    @property
    def does_spike(self) -> bool:
        return True

    def forward(self, data: Tensor) -> Tensor:
        total = data.cumsum(1)
        self.v_mem = total[:, -1] - total[:, -1].floor()
        return total.floor().diff(dim=1, prepend=0 * data[:, :1])


def test_neurons_that_record_nothing_are_read_at_the_end_alone() -> None:
    model = nn.Sequential(Own())
    answers = Answers(model, model, "potential")
    torch.testing.assert_close(answers(FRAMES), FRAMES.sum(1))
    with pytest.raises(ValueError, match=r"Own, has no record_states.*readout count"):
        answers.by_step(FRAMES)
    assert Answers(model, model).by_step(FRAMES)[:, -1].equal(FRAMES.sum(1).floor())
