"""Random models, and how the Monitor's numbers of one compare with those written down beside it."""

import re
import warnings
from collections.abc import Sequence
from typing import Any

import torch

from picojoule import Monitor
from picojoule.synops import MonitorWarning
from tests.synops.random_models.awkward import AWKWARD
from tests.synops.random_models.draft import Draft, RandomModel
from tests.synops.random_models.opaque import OPAQUE
from tests.synops.random_models.rarer import RARER
from tests.synops.random_models.spiking import SPIKING
from tests.synops.random_models.unweighted import UNWEIGHTED
from tests.synops.random_models.values import Pair
from tests.synops.random_models.weighted import WEIGHTED

_NODE = re.compile(r"(?:^|\.)(n\d+)(?:[./]|$)")


def random_model(seed: int, opaque: Sequence[str] = ()) -> tuple[Draft, RandomModel]:
    """A model of some dozen nodes; `opaque` names kinds to mix in."""
    d = Draft(seed)
    known = [
        *WEIGHTED * 2,
        *UNWEIGHTED,
        *SPIKING * 2,
        *AWKWARD,
        *RARER,
        *(OPAQUE[name] for name in opaque),
    ]
    with torch.no_grad():
        for _ in range(d.number(6, 20)):
            kind = d.rng.choice(known)
            before = len(d.nodes)
            kind(d)
            d.kinds += [kind.__name__] * (len(d.nodes) - before)
    return d, RandomModel(d)


def counted(
    model: RandomModel, inputs: list[torch.Tensor], **options: Any
) -> tuple[dict[str, Pair], list[torch.Tensor]]:
    """SynOps and MACs of each node over all samples and steps, and the model's outputs.

    `options` of the Monitor are those that change neither.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonitorWarning)
        with Monitor(model, time_axis="bt", **options) as monitor:
            outputs = model(*inputs)
    found: dict[str, Pair] = {}
    synops, macs = monitor.synops, monitor.macs
    for name in synops:
        match = _NODE.search(name)
        node = match.group(1) if match else name
        before = found.get(node, (0.0, 0.0))
        more = (synops[name].item() * synops.sample_steps, macs[name].item() * macs.sample_steps)
        found[node] = before[0] + more[0], before[1] + more[1]
    return found, outputs


def wrong_numbers(d: Draft, found: dict[str, Pair], outputs: list[torch.Tensor]) -> list[str]:
    """What differs from what was written down, a sentence each."""
    wrong = []
    for number, (x, made) in enumerate(zip(d.values, outputs, strict=True)):
        if x.value.shape != made.shape or not torch.allclose(x.value, made, atol=1e-9):
            wrong.append(f"tensor {number} is not what the interpreter made")
    for index, kind in enumerate(d.kinds):
        name = f"n{index}"
        expected, got = d.spent.get(name, (0.0, 0.0)), found.pop(name, (0.0, 0.0))
        if any(abs(a - b) > 1e-5 * max(abs(a), 1) for a, b in zip(expected, got, strict=True)):
            wrong.append(f"{name} {kind} (SynOps, MACs): expected {expected}, got {got}")
    return wrong + [f"{name} is no node" for name in found]
