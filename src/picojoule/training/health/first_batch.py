"""What a user should know of a network before it is trained: that nothing fires, or nothing can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from picojoule.budget.declare import Bound

_NO_SPIKES = (
    "no layer of the model is known to spike, so there are no firing rates to show or to bound. "
    "picojoule.from_model makes a spiking network of one with ReLUs."
)
_NO_INPUT = (
    "the first batch is all zeros, so nothing fires. Look at what the data set gives; a pixel_rate close to 0 leaves no "
    "spikes."
)


def remarks(
    model: nn.Module,
    rates: Mapping[str, Tensor],
    frames: Tensor,
    *,
    floor: Bound | None = None,
    pixel_rate: float | None = None,
) -> list[str]:
    """What stands out on the first batch, a sentence each.

    A silent last layer alone is not among it: that is common before training, and the layer learns to fire.

    Args:
        model: as it starts.
        rates: of its spiking layers, `*n`, in the order in which they run.
        frames: the batch, `b t *f`.
        floor: least rate that the run asks for, of all layers or by layer.
        pixel_rate: spikes per time step of a white pixel; None where the samples are no images.

    Example:
        >>> from picojoule.layers import LIF
        >>> model = nn.Sequential(nn.Linear(2, 3), LIF(10.0))
        >>> (sentence,) = remarks(model, {"1": torch.zeros(3)}, torch.ones(1, 5, 2))
        >>> sentence[:58]
        "on the first batch no neuron of layer '1' (LIF) fires: eve"
    """
    if not rates:
        return [_NO_SPIKES]
    silent = [name for name, rate in rates.items() if not bool(rate.any())]
    if not silent or (silent == list(rates)[-1:] and len(rates) > 1):
        return []
    if not bool(torch.as_tensor(frames).any()):
        return [_NO_INPUT]
    return [
        f"{_silence(model, silent, list(rates))} {_way_out(model, silent[0], pixel_rate)} {_floor(silent[0], floor)}"
    ]


def _silence(model: nn.Module, silent: Sequence[str], order: Sequence[str]) -> str:
    layer = dict(model.named_modules()).get(silent[0])  # None of a name that is a call's
    kind = f" ({type(layer).__name__})" if layer is not None else ""
    behind = (
        "nothing reaches the layers behind it" if silent[0] != order[-1] else "every answer is 0"
    )
    others = f" (nor in {len(silent) - 1} of the others)" if len(silent) > 1 else ""
    return (
        f"on the first batch no neuron of layer {silent[0]!r}{kind} fires{others}: {behind}, and "
        "there may be nothing to learn from."
    )


def _floor(name: str, floor: Bound | None) -> str:
    least = floor.get(name) if isinstance(floor, Mapping) else floor
    if least is None:
        return "Or set a floor, such as min_rate=0.02, which may wake it."
    return f"The floor of {least:g} may wake it."


def _way_out(model: nn.Module, name: str, pixel_rate: float | None) -> str:
    layer = dict(model.named_modules()).get(name)
    threshold = getattr(layer, "spike_threshold", None)
    lower = "a lower threshold"
    if isinstance(threshold, Tensor) and threshold.numel() == 1:
        lower += f" (spike_threshold is {threshold.item():g})"
    brighter = (
        f", or a pixel_rate above {pixel_rate:g}"
        if pixel_rate is not None and pixel_rate < 1
        else ""
    )
    others = f"larger weights before it, or {lower}{brighter}"
    alpha = getattr(layer, "alpha_mem_calculated", None)
    if getattr(layer, "norm_input", False) and isinstance(alpha, Tensor) and alpha.numel() == 1:
        return (
            f"Its input is multiplied by 1 - exp(-1 / tau_mem) = {1 - alpha.item():.3g}, because norm_input is True: "
            f"give norm_input=False, {others}."
        )
    return f"Give {others}."
