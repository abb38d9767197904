"""Who can take part on this machine."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import partial

from benchmarks.implementations import Implementation, Picojoule, ReLU
from benchmarks.peers import Norse, Sinabs, SnnTorch, SpikingJelly

OURS: dict[str, Callable[[], Implementation]] = {
    ReLU.name: ReLU,
    **{
        f"picojoule {impl}": partial(Picojoule, impl)
        for impl in ("reference", "cpu", "triton", "auto")
    },
}
PEERS: dict[str, Callable[[], Implementation]] = {
    peer.name: peer for peer in (Sinabs, SpikingJelly, SnnTorch, Norse)
}


def participant(name: str) -> Implementation:
    """The implementation of that name.

    Raises:
        ImportError: its library is not installed.
        ValueError, RuntimeError: it cannot run here.
    """
    # theirs: PyTorch logs that there is no Triton as soon as a peer asks
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, at import
        return {**OURS, **PEERS}[name]()


def participants(*, peers: bool) -> tuple[list[Implementation], dict[str, str]]:
    """What can run here, the floor first; and why the rest cannot, by name."""
    found, missing = [], {}
    for name in {**OURS, **PEERS} if peers else OURS:
        try:
            found.append(participant(name))
        except (ImportError, ValueError, RuntimeError) as reason:
            missing[name] = str(reason)
    return found, missing
