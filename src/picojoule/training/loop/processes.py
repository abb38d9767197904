"""One process or many: how Lightning Fabric starts them, and what only the first one does."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from picojoule.extras import extra
from picojoule.training.config_error import ConfigError
from picojoule.training.samples.batches import Process
from picojoule.training.settings.config import TrainConfig

_PARAMETERS = inspect.signature(DistributedDataParallel).parameters
_OWN_BUFFERS = next(n for n in ("forward_sync_buffers", "broadcast_buffers") if n in _PARAMETERS)


_MOST_PER_CORE = 4  # processes: each has its own PyTorch
_OF_COLLECTIVES = ("gloo", "NCCL", "Connection closed", "Connection reset")


def launched(config: TrainConfig) -> Any:
    """A Fabric whose processes run.

    Those of `torchrun` are joined. Otherwise, for `config.devices` > 1, Fabric starts the others: each runs this
    same command again, up to here.

    Raises:
        ImportError: Lightning Fabric is missing.
        ConfigError: `config.devices` are more than there are.
    """
    with extra("train"):
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # not how many processes joined
    # the states of neurons are buffers, of each process's own samples
    own_buffers: dict[str, Any] = {_OWN_BUFFERS: False}
    _check_devices(config.devices)
    devices, nodes = _torchrun() or (config.devices, 1)
    many = devices * nodes > 1
    fabric = Fabric(
        accelerator="auto",
        devices=devices,
        num_nodes=nodes,
        strategy=DDPStrategy(**own_buffers) if many else "auto",
        precision=config.precision,
    )
    if many:
        fabric.launch()
    return fabric


def _check_devices(devices: int) -> None:
    """Before others are started: too many would take all memory."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    most = gpus or _MOST_PER_CORE * max(os.cpu_count() or 1, 2)
    if devices > most and _torchrun() is None:
        there = f"{gpus} GPU{'s' if gpus > 1 else ''}" if gpus else f"{os.cpu_count()} CPU cores"
        raise ConfigError(
            f"training: devices is {devices}, expected at most {most}: this machine has {there}.",
            "devices",
        )


def process_of(fabric: Any) -> Process:
    """This process among those of a Fabric."""
    return Process(fabric.global_rank, fabric.world_size)


def is_first_process() -> bool:
    """Whether this process is the one that writes and prints, as far as its environment tells."""
    environment = os.environ.get
    if "RANK" in os.environ:
        return environment("RANK") == "0"
    return environment("LOCAL_RANK", "0") == "0" and environment("NODE_RANK", "0") == "0"


def common_status(status: int) -> int:
    """The exit status of this process, once the first one has come as far as here.

    An agent of torchrun sees the processes of its machine alone. If they succeed while those of another machine fail,
    it waits five minutes for the other agent; if they fail while the first process still draws, it ends that one. So
    all leave together, with the first one's status. Without torchrun the first process is the command itself, which
    Fabric kills if another one fails: the others leave with 0.

    Raises:
        ConnectionError: the first process has ended before.
    """
    if _torchrun() is None or not _joined():
        return status if is_first_process() else 0
    statuses = [status]
    with losing_others_explained():
        distributed.broadcast_object_list(statuses, src=0)
    return statuses[0]


def on_first(fabric: Any, action: Callable[[], object]) -> None:
    """Let the first process do something; if it fails, all fail with its error."""
    error: Exception | None = None
    if fabric.is_global_zero:
        try:
            action()
        except Exception as failed:
            if fabric.world_size == 1:
                raise
            error = failed
    if fabric.world_size > 1:
        error = fabric.broadcast(error)
        if error is not None:
            raise error


@contextmanager
def losing_others_explained() -> Iterator[None]:
    """Turn what a collective says when another process has ended into a sentence.

    Raises:
        ConnectionError: another process of the run has ended.
    """
    try:
        yield
    except RuntimeError as error:
        lost = any(word in str(error) for word in _OF_COLLECTIVES)
        if not lost or not _joined():
            raise
        raise ConnectionError(
            "another process of this run has ended; what it said tells why. The last checkpoint is kept; go on with "
            "--resume."
        ) from error


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _torchrun() -> tuple[int, int] | None:
    """(processes on this machine, machines) that torchrun started."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return here, int(os.environ["WORLD_SIZE"]) // here
