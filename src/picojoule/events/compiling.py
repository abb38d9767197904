"""From a model to a network that runs event by event."""

from __future__ import annotations

from typing import Any, Literal, get_args, overload

from torch import Tensor, nn

from picojoule.convert.batch_norm import with_folded_norms
from picojoule.convert.discretize import discretize
from picojoule.convert.own_forward import check_forwards
from picojoule.events.asynchronous import AsynchronousNetwork
from picojoule.events.calls import computing
from picojoule.events.following import follow
from picojoule.events.left_out import warn_of_hooks, warn_of_training
from picojoule.events.network import Dense, EventNetwork
from picojoule.events.orders import Arrival, ChipLimits, Leak, Order
from picojoule.events.plan import check_weights
from picojoule.events.whole_numbers import check_neurons, widths_of
from picojoule.layers import reset_states
from picojoule.synops.watch.count import Weights


@overload
def compile(  # noqa: A001
    model: nn.Module,
    sample: Tensor,
    *,
    dense: Dense = ...,
    order: Literal["step"] = ...,
    limits: ChipLimits | None = ...,
    weights: Weights = ...,
) -> EventNetwork: ...
@overload
def compile(  # noqa: A001
    model: nn.Module,
    sample: Tensor,
    *,
    order: Order,
    leak: Leak = ...,
    limits: ChipLimits | None = ...,
    tick_steps: int = ...,
    arrival: Arrival = ...,
    weights: Weights = ...,
) -> AsynchronousNetwork: ...
def compile(  # noqa: A001
    model: nn.Module,
    sample: Tensor,
    *,
    dense: Dense = "where quicker",
    order: Literal["step"] | Order = "step",
    leak: Leak = "step",
    limits: ChipLimits | None = None,
    tick_steps: int = 1,
    arrival: Arrival = "index",
    weights: Weights = "all",
) -> EventNetwork | AsynchronousNetwork:
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
        order: "step" runs the model's time steps. "breadth" and "depth" run it as chips do: each event is delivered by itself and
            neurons fire at once; a layer empties its queue before the next, as sinabs' specksim does it, or each event
            goes through as far as it can before the next, as Speck does it.
        leak: of an asynchronous order: "step", "tick" (of a slow clock, as Speck's) or "exponential" (by elapsed time).
        limits: of a chip. With order="step" they are `weight_bits` (8 at most) and `state_bits`: the network is that of
            :func:`picojoule.convert.discretize` with these widths, its weights are kept in 8 bits, and a potential in 16 (in 32
            from 17 on) that stops at the ends of its range at each event: first the bias, then layer by layer, of images position by position and
            at each the channels. Where none does,
            spikes are those of the discretised model. IAF only; nothing goes by dense products.
        tick_steps: time steps from one tick of the slow clock to the next.
        arrival: in which order the input's events of a step come, for an asynchronous order: "index", or "random", the same in
            every run. Rows of a picture one after the other are nothing that a camera sends.
        weights: what SynOps are counted by, as a Monitor's: "nonzero" takes pruned weights for no synapses (after folding).

    Warns:
        UserWarning: a module has a hook of yours, which is not called event by event; or a layer that does something else in training
            (Dropout, batch normalisation) is in training mode.

    Returns:
        The network, its states at zero: an :class:`EventNetwork`, or an :class:`AsynchronousNetwork` for another order.

    Raises:
        NotImplementedError: a layer has no kernel; the message names it and says what to do.
        TypeError: the model is no module, the sample no tensor, or an option no number.
        ValueError: a parameter is not finite, or on another device; the model does not take the sample, or has no spiking layer; an
            argument is another word, or the leak or other limits of a chip come with the order "step".

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
    check_weights("events.compile", weights)
    _check(model, sample)
    if order != "step":
        with computing():
            graph = follow(model, sample)
            asynchronous = AsynchronousNetwork(
                graph, order, leak, limits, tick_steps, arrival, weights=weights
            )
        warn_of_hooks(model)
        warn_of_training(model)
        return asynchronous
    if (leak, tick_steps, arrival) != ("step", 1, "index"):
        raise ValueError(
            "events.compile: a leak other than 'step', tick_steps and arrival go with order='breadth' or 'depth', but order is 'step'."
        )
    followed, state_bits = (model, None) if limits is None else _discretized(model, limits, dense)
    with computing():
        network = EventNetwork(follow(followed, sample), dense, weights, state_bits)
    warn_of_hooks(model)
    warn_of_training(model)
    return network


def _discretized(
    model: nn.Module, limits: ChipLimits, dense: Dense
) -> tuple[nn.Module, int | None]:
    """The model in whole numbers, and the bits of its potentials."""
    weight_bits, state_bits, bias_bits = widths_of(limits)
    if dense == "always":
        raise ValueError(
            "events.compile: dense='always' and limits do not go together: a dense product's potentials do not stop at the ends of their range."
        )
    check_neurons(model)
    at_rest = with_folded_norms(model)
    reset_states(at_rest)  # as the network begins; potentials would take part in the scales
    return discretize(at_rest, weight_bits, state_bits, bias_bits, saturate=True), state_bits


def _check(model: Any, sample: Any) -> None:
    """What cannot be followed at all."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"events.compile: the model is {type(model).__name__}, expected a torch.nn.Module."
        )
    if not isinstance(sample, Tensor):
        raise TypeError(
            f"events.compile: the sample is {type(sample).__name__}, expected a tensor as the model takes it."
        )
    check_forwards("events.compile", model)
    advice = "and the engine runs on the CPU: call"
    if sample.device.type != "cpu":
        raise ValueError(
            f"events.compile: the sample is on the device {sample.device}, {advice} sample.cpu()."
        )
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        if value.device.type != "cpu":
            raise ValueError(
                f"events.compile: the parameter {name!r} is on the device {value.device}, {advice} model.cpu()."
            )
