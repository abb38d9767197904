"""Models of `fully_shard` (FSDP2), whose layers hold other parameters while they run."""

import pytest
import torch

from tests.python import python

CODE = """
import os, socket, torch, picojoule
from torch import distributed, nn
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    os.environ |= dict(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(s.getsockname()[1]), RANK="0", WORLD_SIZE="1")
distributed.init_process_group("gloo")
from torch.distributed.fsdp import fully_shard
spiking = picojoule.layers.IAFSqueeze(num_timesteps=1)
model = nn.Sequential(nn.Linear(6, 5), spiking, nn.Sequential(nn.Linear(5, 3)))
for part in (model[0], model[2]):
    fully_shard(part)
fully_shard(model, ignored_params=set(spiking.parameters()))
x = (torch.rand(4, 6) < 0.5).float()
for weights in ("all", "nonzero"):
    picojoule.reset_states(model)
    with picojoule.Monitor(model, weights=weights) as monitor:
        model(x).sum().backward()
    print(*sorted(monitor.synops), monitor.synops.per_sample["0"].item() * 4 == x.sum().item() * 5)
distributed.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="PyTorch without distributed")
def test_a_sharded_model_is_counted_by_its_layers() -> None:
    run = python("-c", CODE)
    assert run.stdout.splitlines() == ["0 2.0 True"] * 2, run.stderr[-2000:]
