"""From a model to a network that runs event by event."""

from __future__ import annotations

from typing import get_args

from torch import Tensor, nn

from picojoule.events.following import follow
from picojoule.events.network import Dense, EventNetwork


def compile(  # noqa: A001
    model: nn.Module, sample: Tensor, *, dense: Dense = "where quicker"
) -> EventNetwork:
    r"""The network of a model that runs event by event on the CPU, with the model's spikes.

    Each event adds its weights to the potentials that it reaches, and only neurons that were reached are looked at.
    An event is a value other than zero; a count or a graded value is one event.

        v[o] += s * W[o - i]       for every event s at i, in the order (time, layer, index)

    Potentials are sums in another order than PyTorch's: where one comes within rounding of its threshold, a spike may
    differ. With weights and inputs that are multiples of a power of two, such as quantised ones, all are equal.

    | layer | |
    |---|---|
    | IAF, LIF, ALIF, ExpLeak; recurrent, by an nn.Linear | any built-in spike function and reset |
    | Conv1d to Conv3d, ConvTranspose1d to 3d | any stride, dilation, zero padding and groups |
    | Linear; BatchNorm behind a weighted layer | BatchNorm is folded |
    | SumPool2d, AvgPool1d to 3d, MaxPool1d to 3d | |
    | Flatten, ZeroPad, Cropping2dLayer, ChannelShift | |
    | sums, Merge, Repeat, nested modules | |
    | FlattenTime, UnflattenTime, Identity, Dropout | nothing |

    Args:
        model: a network of these; it and its states stay as they are. Its weights are copied.
        sample: an input for it, which gives the shapes; its batch and number of steps are not kept.
        dense: "where quicker" measures each layer once on this machine, keeps that on disk, and takes PyTorch's dense
            product from so many events on; "never" runs everything event by event, "always" nothing.

    Returns:
        The network, its states at zero.

    Raises:
        NotImplementedError: a layer has no kernel; the message names it and says what to do.
        ValueError: a weight is not finite, the model has no spiking layer, or `dense` is another word.

    Example:
        >>> import torch
        >>> import picojoule.layers as layers
        >>> model = nn.Sequential(
        ...     nn.Conv2d(1, 4, 3, bias=False), layers.IAFSqueeze(batch_size=2), nn.Flatten(), nn.Linear(144, 5)
        ... )
        >>> x = (torch.rand(2 * 10, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.1).float()
        >>> network = compile(model, x)
        >>> torch.allclose(network(x), model(x), atol=1e-5)
        True
    """
    if dense not in get_args(Dense):
        raise ValueError(
            f"events.compile: dense is {dense!r}, expected one of {', '.join(get_args(Dense))}."
        )
    return EventNetwork(follow(model, sample), dense)
