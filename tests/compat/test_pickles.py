"""Whole models that sinabs pickled, after a forward pass, go on here as they do there."""

from pathlib import Path

import pytest

LAYERS = {
    "iaf": "sl.IAF()",
    "iaf_syn": "sl.IAF(tau_syn=3.0, min_v_mem=-0.5)",
    "iaf_squeeze": "sl.IAFSqueeze(batch_size=2)",
    "lif": "sl.LIF(tau_mem=5.0, norm_input=False)",
    "lif_syn": "sl.LIF(tau_mem=5.0, tau_syn=3.0, norm_input=False, spike_threshold=0.3)",
    "lif_alphas": "sl.LIF(tau_mem=5.0, tau_syn=3.0, train_alphas=True, norm_input=False)",
    "exp_leak": "sl.ExpLeak(tau_mem=5.0)",
    "exp_leak_squeeze": "sl.ExpLeakSqueeze(tau_mem=5.0, num_timesteps=4)",
    "alif": "sl.ALIF(tau_mem=5.0, tau_adapt=4.0, norm_input=False, min_v_mem=-0.5)",
    "alif_alphas": "sl.ALIF(tau_mem=5.0, tau_adapt=4.0, tau_syn=3.0, train_alphas=True, norm_input=False)",
    "lif_recurrent": "sl.LIFRecurrent(tau_mem=5.0, rec_connect=nn.Identity())",
    "sum_pool": "nn.Sequential(nn.Unflatten(-1, (1, 2, 2)), sl.FlattenTime(), sl.SumPool2d(2))",
    "repeat": "sl.Repeat(nn.Linear(4, 3))",
    "unflatten": "nn.Sequential(sl.FlattenTime(), sl.UnflattenTime(2))",
    "relu": "nn.Sequential(sl.NeuromorphicReLU(fanout=3), sl.QuantizeLayer(), sl.ChannelShift(2, -1))",
    "max_pool": "nn.Sequential(nn.Unflatten(-1, (2, 2)), sl.SpikingMaxPooling2dLayer((2, 2)))",
    "network_squeeze": "from_model(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), (4,), batch_size=2)",
    "crop": "nn.Sequential(nn.Unflatten(-1, (2, 2)), sl.Cropping2dLayer(((0, 1), (1, 0))))",
}
COMMON = f"""
import sys, warnings; warnings.simplefilter("ignore")
import torch; from torch import nn
import sinabs.layers as sl
from sinabs.from_torch import from_model
torch.manual_seed(0)
data = [torch.randint(0, 2, (2, 4, 4)).float() for _ in range(2)]
LAYERS = {LAYERS}
def call(name, layer, x):
    return layer(x.flatten(0, 1)) if name.endswith("squeeze") else layer(x)
"""
SAVE = """
for name, source in LAYERS.items():
    layer = eval(source)
    call(name, layer, data[0])
    if name == "alif_alphas":
        layer.zero_grad()
    for buffer in layer.buffers():
        buffer.detach_()
    for module in layer.modules():  # sinabs pickles graphs only if they are leaves
        module.__dict__.pop("firing_rate", None); module.__dict__.pop("activity", None)
    torch.save(layer, f"{name}.pth")
    torch.save((call(name, layer, data[1]).detach(), getattr(layer, "v_mem", torch.zeros(0)).detach()), f"{name}.out")
"""
LOAD = """
import picojoule, copy
for name in LAYERS:
    layer = torch.load(f"{name}.pth", weights_only=False)
    copy.deepcopy(layer), repr(layer), layer.state_dict()
    output, v_mem = torch.load(f"{name}.out")
    got = call(name, layer, data[1])
    same = torch.allclose(got, output) and torch.allclose(getattr(layer, "v_mem", torch.zeros(0)), v_mem)
    picojoule.reset_states(layer)
    call(name, layer, data[1][:, :2])
    print(name, same)
"""


def test_pickled_layers_go_on(python, tmp_path: Path) -> None:
    pytest.importorskip("sinabs")
    saved = python("-c", COMMON + SAVE)
    assert saved.returncode == 0, saved.stderr
    (tmp_path / "load.py").write_text(COMMON + LOAD)
    loaded = python("-m", "picojoule.compat.sinabs", "load.py")
    assert loaded.returncode == 0, loaded.stderr
    got = dict(line.split() for line in loaded.stdout.splitlines())
    assert got == dict.fromkeys(LAYERS, "True")
