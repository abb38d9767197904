"""sinabs' tutorial, to the printed digit."""

import contextlib
import io
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples/train_with_fewer_synops.py"

SPENT = """\
Synops after feeding input:
Total: 1.22e+06 SynOps per step
Per layer:
- Layer 1: 2.30e+05 SynOps per step
- Layer 4: 9.01e+05 SynOps per step
- Layer 7: 8.83e+04 SynOps per step
- Layer 10: 7.31e+02 SynOps per step
"""
SHAPES_AND_SILENT_SHARES = """\
Layer 2:
\tShape: torch.Size([16, 24, 24])
\tSilent neurons: {}
Layer 5:
\tShape: torch.Size([32, 8, 8])
\tSilent neurons: {}
Layer 8:
\tShape: torch.Size([120, 1, 1])
\tSilent neurons: {}
Layer 11:
\tShape: torch.Size([10])
\tSilent neurons: {}
"""
BEFORE = SHAPES_AND_SILENT_SHARES.format("50.00%", "50.00%", "46.67%", "30.00%")
AFTER = SHAPES_AND_SILENT_SHARES.format("81.25%", "71.88%", "0.00%", "0.00%")


class Tutorial(NamedTuple):
    printed: str
    synops_per_layer: dict[int, list[float]]
    pictures: Path


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    # threads that wait for a busy core make small tensors many times slower; the numbers are the same
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Tutorial:
    pictures = tmp_path_factory.mktemp("seed") / "made" / "by it"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        synops_per_layer = runpy.run_path(str(EXAMPLE))["main"](pictures)
    return Tutorial(printed.getvalue(), synops_per_layer, pictures)


def test_it_prints_the_tutorials_lines_and_no_others(tutorial: Tutorial) -> None:
    assert tutorial.printed == SPENT + BEFORE + AFTER


def test_training_ends_at_the_tutorials_counts(tutorial: Tutorial) -> None:
    assert {idx: round(counts[-1]) for idx, counts in tutorial.synops_per_layer.items()} == {
        1: 230400,
        4: 102400,
        7: 32256,
        10: 1841,
    }
    assert {len(counts) for counts in tutorial.synops_per_layer.values()} == {100}


def test_the_first_layer_spends_what_its_input_says_in_every_epoch(tutorial: Tutorial) -> None:
    # each of 16 x 24 x 24 outputs has a window of 5 x 5 pixels with a spike in each
    assert set(tutorial.synops_per_layer[1]) == {16 * 24 * 24 * 5 * 5}


def test_it_leaves_three_pictures(tutorial: Tutorial) -> None:
    pictures = {path.name: path.read_bytes() for path in tutorial.pictures.iterdir()}
    assert sorted(pictures) == ["rates_after.png", "rates_before.png", "synops.png"]
    assert all(data.startswith(b"\x89PNG\r\n\x1a\n") for data in pictures.values())
    assert len(set(pictures.values())) == 3


# What a user of sinabs has: their own code, in which only the import lines change.
IMPORTS = """
import picojoule as sinabs
import picojoule.layers as sl
from picojoule.hooks import register_synops_hooks, firing_rate_per_neuron_hook
"""
CODE = """
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

batch_size = 5
snn = SNN(batch_size=batch_size)
register_synops_hooks(snn)
for layer in snn:
    if isinstance(layer, sl.StatefulLayer) and layer.does_spike:
        layer.register_forward_hook(firing_rate_per_neuron_hook)

rand_input_spikes = (torch.ones((batch_size, 10, 1, 28, 28))).float()
snn(rand_input_spikes)
print("Synops after feeding input:")
print(f"Total: {snn.hook_data['total_synops_per_timestep']:.2e} SynOps per step")
print("Per layer:")
for layer_idx, synops in snn.hook_data['synops_per_timestep'].items():
    print(f"- Layer {layer_idx}: {synops:.2e} SynOps per step")
"""
# and what the rest of such code calls on the library itself
MORE = """
for step in range(2):
    sinabs.reset_states(snn)
    sinabs.zero_grad(snn)
    snn(rand_input_spikes)
    snn.hook_data['total_synops_per_timestep'].backward()
sinabs.reset_states(snn)
sinabs.set_batch_size(snn, 2)
shape = snn(rand_input_spikes[:2]).shape
"""


def test_code_for_sinabs_prints_the_same_with_its_imports_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, object] = {}
    exec(IMPORTS + CODE, names)
    assert capsys.readouterr().out == SPENT


def test_code_for_sinabs_trains_and_changes_the_batch_with_its_imports_changed() -> None:
    names: dict[str, object] = {}
    exec(IMPORTS + CODE + MORE, names)
    assert names["shape"] == (2, 10, 10)
