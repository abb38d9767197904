"""sinabs-exodus' conversions: its layers are sinabs' with CUDA kernels, and both are Picojoule's here."""

from __future__ import annotations

import copy
import warnings

from torch import nn

from picojoule import layers

VERSION = "1.2.2"

module_map: dict[type[nn.Module], type[nn.Module]] = {
    kind: kind
    for kind in (
        *(layers.IAF, layers.IAFSqueeze, layers.LIF, layers.LIFSqueeze),
        *(layers.ExpLeak, layers.ExpLeakSqueeze),
    )
}


def sinabs_to_exodus(model: nn.Module) -> nn.Module:
    """A copy of the model: its layers have kernels of their own, on the CPU and on a GPU.

    Example:
        >>> sinabs_to_exodus(nn.Sequential(layers.IAF()))
        Sequential(
          (0): IAF(spike_threshold=1)
        )
    """
    return copy.deepcopy(model)


def exodus_to_sinabs(model: nn.Module) -> nn.Module:
    """A copy of the model, which has the layers that sinabs would put there already."""
    return copy.deepcopy(model)


def note() -> None:
    """Say once, when the module is first imported, whose layers these are."""
    warnings.warn(
        "sinabs.exodus: its layers are Picojoule's here, with kernels for CPU and GPU, as those of sinabs.layers "
        "are; nothing needs to be converted.",
        UserWarning,
        stacklevel=3,
    )
