"""What the layers of an ANN and of the SNN made of it give for the same input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from picojoule.convert.scale_layers import evaluated
from picojoule.convert.spiking import OUTPUT
from picojoule.layers import HookHandles, SqueezeMixin, reset_states, stateful_layers
from picojoule.near_names import did_you_mean

INPUT = "Input"
Array = np.ndarray


class Comparison(NamedTuple):
    """Activations of the ANN, spike counts or rates of the SNN, and the layers' names, in one order."""

    analog: list[Array]
    spiking: list[Array]
    names: list[str]


def compare(
    analog: nn.Module,
    spiking: nn.Module,
    data: Tensor,
    names: Sequence[str] | None = None,
    compute_rate: bool = False,
    verbose: bool = False,
) -> Comparison:
    """Run one sample through both networks and collect what their layers give.

    The ANN sees the sum of the input over time, or with `compute_rate` its mean, in evaluation mode; the
    SNN sees `data` from states at zero. Hooks, modes and random state are as before afterwards, and the
    states are zero.

    Args:
        analog: the ANN.
        spiking: the SNN.
        data: one sample, `t *n`.
        names: layers to compare, "Input" for the input; by default it and all stateful layers that both
            have. "spike_output" stands for the ANN's output.
        compute_rate: give spikes per 1000 time steps instead of spikes.
        verbose: print the names.

    Returns:
        `analog` `1 *n` each; `spiking` `*n` each; `names`.

    Raises:
        ValueError: one of the networks has no layer of a name; the message has the nearest match.
    """
    in_analog, in_spiking = dict(analog.named_modules()), dict(spiking.named_modules())
    if names is None:
        stateful = [name for name, _ in stateful_layers(spiking)]
        names = [INPUT, *(name for name in stateful if name in in_analog or name == OUTPUT)]
    # a caller of sinabs gets its list back
    names = names if isinstance(names, list) else list(names)
    in_analog.setdefault(OUTPUT, analog)
    for network, modules in (("ANN", in_analog), ("SNN", in_spiking)):
        _check_names(network, names, modules)
    if verbose:
        print(f"Comparing activations of {', '.join(names)}")  # noqa: T201
    summed = (data.float().mean(0) if compute_rate else data.float().sum(0)).unsqueeze(0)
    of_analog = _outputs(analog, summed.to(data.dtype), in_analog, names)
    reset_states(spiking)
    folded = any(isinstance(module, SqueezeMixin) for module in in_spiking.values())
    of_spiking = _outputs(spiking, data if folded else data.unsqueeze(0), in_spiking, names)
    if not folded:
        of_spiking = {name: output.squeeze(0) for name, output in of_spiking.items()}
    reset_states(spiking)
    unit = 1000 / max(len(data), 1) if compute_rate else 1.0
    return Comparison(
        [of_analog[name].cpu().numpy() for name in names],
        [(of_spiking[name].float().sum(0) * unit).cpu().numpy() for name in names],
        names,
    )


@torch.no_grad()
def _outputs(
    model: nn.Module, data: Tensor, modules: dict[str, nn.Module], names: list[str]
) -> dict[str, Tensor]:
    seen = {INPUT: data}
    with HookHandles() as handles, evaluated(model):
        for name in names:
            if name != INPUT:
                handles.add(modules[name].register_forward_hook(_keep(name, seen)))
        model(data)
    uncalled = [name for name in names if name not in seen]
    if uncalled:
        raise ValueError(
            f"compare_activations: layer {uncalled[0]!r} is not called in a forward pass."
        )
    return seen


def _keep(name: str, seen: dict[str, Tensor]):  # type: ignore[no-untyped-def]
    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        # the first call: a ReLU that is called again has become another neuron
        seen.setdefault(name, output.detach().clone())

    return hook


def _check_names(network: str, names: list[str], modules: dict[str, nn.Module]) -> None:
    for name in names:
        if name != INPUT and name not in modules:
            raise ValueError(
                f"compare_activations: the {network} has no layer {name!r}; it has {', '.join(filter(None, modules))}."
                + did_you_mean(name, modules)
            )
