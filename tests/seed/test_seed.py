"""sinabs' tutorial, to the printed digit."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/train_with_fewer_synops.py"

PRINTED = """\
Synops after feeding input:
Total: 1.22e+06 SynOps per step
Per layer:
- Layer 1: 2.30e+05 SynOps per step
- Layer 4: 9.01e+05 SynOps per step
- Layer 7: 8.83e+04 SynOps per step
- Layer 10: 7.31e+02 SynOps per step
Layer 2:
	Shape: torch.Size([16, 24, 24])
	Silent neurons: 50.00%
Layer 5:
	Shape: torch.Size([32, 8, 8])
	Silent neurons: 50.00%
Layer 8:
	Shape: torch.Size([120, 1, 1])
	Silent neurons: 46.67%
Layer 11:
	Shape: torch.Size([10])
	Silent neurons: 30.00%
Layer 2:
	Shape: torch.Size([16, 24, 24])
	Silent neurons: 81.25%
Layer 5:
	Shape: torch.Size([32, 8, 8])
	Silent neurons: 71.88%
Layer 8:
	Shape: torch.Size([120, 1, 1])
	Silent neurons: 0.00%
Layer 11:
	Shape: torch.Size([10])
	Silent neurons: 0.00%
"""


def test_the_tutorial_prints_its_numbers_and_draws_its_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synops_per_layer = runpy.run_path(str(EXAMPLE))["main"](tmp_path)

    assert capsys.readouterr().out == PRINTED
    assert {idx: round(counts[-1]) for idx, counts in synops_per_layer.items()} == {
        1: 230400,
        4: 102400,
        7: 32256,
        10: 1841,
    }
    pictures = sorted(path.name for path in tmp_path.iterdir())
    assert pictures == ["rates_after.png", "rates_before.png", "synops.png"]


# What a user of sinabs has: their own code, of which only the first three lines change.
CODE_FOR_SINABS = """
import picojoule as sinabs
import picojoule.layers as sl
from picojoule.hooks import register_synops_hooks, firing_rate_per_neuron_hook
import torch
import torch.nn as nn

torch.manual_seed(1)

class SNN(nn.Sequential):
    def __init__(self, batch_size):
        super().__init__(
            sl.FlattenTime(),
            nn.Conv2d(1, 16, 5, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            sl.SumPool2d(2),
            nn.Conv2d(16, 32, 5, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            sl.SumPool2d(2),
            nn.Conv2d(32, 120, 4, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            nn.Flatten(),
            nn.Linear(120, 10, bias=False),
            sl.IAFSqueeze(batch_size=batch_size),
            sl.UnflattenTime(batch_size=batch_size),
        )

snn = SNN(batch_size=5)
register_synops_hooks(snn)
for layer in snn:
    if isinstance(layer, sl.StatefulLayer) and layer.does_spike:
        layer.register_forward_hook(firing_rate_per_neuron_hook)
for _ in range(2):
    sinabs.reset_states(snn)
    sinabs.zero_grad(snn)
    snn(torch.ones((5, 10, 1, 28, 28)))
    total = snn.hook_data["total_synops_per_timestep"]
    total.backward()
sinabs.set_batch_size(snn, 2)
shape = snn(torch.ones((2, 10, 1, 28, 28))).shape
"""


def test_code_for_sinabs_runs_with_its_imports_changed() -> None:
    names: dict[str, object] = {}
    with pytest.warns(UserWarning, match="starting from zeros"):
        exec(CODE_FOR_SINABS, names)

    assert f"{names['total']:.2e}" == "1.22e+06"
    assert names["shape"] == (2, 10, 10)
