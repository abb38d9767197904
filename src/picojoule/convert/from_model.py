"""From an ANN with ReLUs to an SNN with integrate-and-fire neurons."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from picojoule.activation import (
    MembraneSubtract,
    MultiSpike,
    ResetFunction,
    SingleExponential,
    SpikeFunction,
    SurrogateGradient,
)
from picojoule.convert.biases import check_biases, with_divided_biases
from picojoule.convert.foreign_hooks import warn_of_hooks
from picojoule.convert.max_pooling import MaxPooling
from picojoule.convert.network import Network
from picojoule.convert.repeated_calls import one_call_each
from picojoule.convert.spiking import with_neurons, with_spiking_output
from picojoule.layers import (
    IAFSqueeze,
    SpikingMaxPooling2dLayer,
    SpikingMaxPooling2dLayerSqueeze,
    SqueezeMixin,
    StatefulLayer,
)
from picojoule.layers.neuron import Value


def from_model(
    model: nn.Module,
    input_shape: Sequence[int] | None = None,
    spike_threshold: Value = 1.0,
    spike_fn: SpikeFunction | type[SpikeFunction] = MultiSpike,
    reset_fn: ResetFunction = MembraneSubtract(),  # noqa: B008  (frozen, holds nothing)
    surrogate_grad_fn: SurrogateGradient = SingleExponential(),  # noqa: B008
    min_v_mem: Value | None = -1.0,
    bias_rescaling: float = 1.0,
    batch_size: int | None = None,
    num_timesteps: int | None = None,
    synops: bool = False,
    add_spiking_output: bool = False,
    spike_layer_class: type[StatefulLayer] = IAFSqueeze,
    backend: str | None = None,
    kwargs_backend: dict[str, Any] | None = None,
    max_pooling: MaxPooling = None,
) -> Network:
    """Convert a network of ReLUs into one of spiking neurons, whose rates stand for the activations.

        rate of a neuron = max(W * input rate + b, 0) / threshold, up to one spike in num_timesteps

    Every `nn.ReLU` and `NeuromorphicReLU` (subclasses that rectify as these do included), and every call of `relu()` or
    `clamp(min=0)` that torch.fx finds, becomes a neuron of its own; a ReLU that is called twice
    becomes two. What is known to be affine, a softmax at the end and dropout stay, and everything else is
    refused, for its mean over time is not its value for a mean input. Modes, hooks, frozen parameters, device
    and dtype of the other layers stay; the model and the arguments are left as they are. What a hook makes of an output is
    not looked into, so a hook is warned of: one that rectifies or clips goes on doing so to spikes.

    Args:
        model: the ANN, BatchNorm folded (:func:`picojoule.convert.fold_batch_norm`).
        input_shape: shape of one input, `c h w`; then states have their shape before the first forward.
        spike_threshold: potential at which a neuron fires.
        spike_fn: how many spikes a potential gives.
        reset_fn: what a spike does to the potential.
        surrogate_grad_fn: slope of the spikes in the backward pass.
        min_v_mem: lower bound of the potential; None for none.
        bias_rescaling: biases of linear layers and convolutions are divided by it, as inputs are by
            their number of time steps where an image is spread over them. No other constant may be added then.
        batch_size: samples in the folded axis `(b t)`; this or `num_timesteps` for squeezing layers.
        num_timesteps: time steps in the folded axis.
        synops: count SynOps at each forward pass; see :meth:`Network.get_synops`.
        add_spiking_output: put a neuron behind a model that does not end in one, as `spike_output`.
        spike_layer_class: the neuron's class. With one that does not squeeze (`IAF`) data are `b t *n`, and the model has
            to count its axes from the end: `softmax(x, 1)` would be one over time.
        backend: deprecated in sinabs; use `spike_layer_class`.
        kwargs_backend: further arguments of the neuron's class.
        max_pooling: "spiking" puts a :class:`picojoule.layers.SpikingMaxPooling2dLayer` (or its `Squeeze` form), with
            `exact`, in the place of every `nn.MaxPool2d` and `max_pool2d()`; "each_step" leaves these, so that they
            take the maximum of each time step's spikes, as in sinabs, which is more than the largest rate. By
            default they are refused.

    Returns:
        A :class:`Network` with the ANN as `analog_model` and the SNN as `spiking_model`.

    Raises:
        NotImplementedError: the model calls something without a spiking counterpart (GELU, sigmoid,
            LayerNorm, max pooling, ...), calls a ReLU twice, or one that is no submodule, in a forward pass that torch.fx
            cannot follow, or has hooks that a rewritten network would not call; the message names it.
        ValueError: `bias_rescaling` is not > 0, a bias that it would divide is computed from other parameters or
            not there yet, or something else adds a constant that it would not divide (a BatchNorm, a parameter, a number);
            or the backend or `max_pooling` is unknown.
        TypeError: a squeezing layer is given neither `batch_size` nor `num_timesteps`; the model is no module; or
            `spike_layer_class` is no class of stateful layers.

    Example:
        >>> ann = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
        >>> network = from_model(ann, batch_size=2, add_spiking_output=True)
        >>> network(torch.rand(2 * 50, 1, 8, 8)).shape
        torch.Size([100, 10])

    Source: Rueckauer et al. 2017, Front. Neurosci. 11:682, doi 10.3389/fnins.2017.00682.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"from_model: model is a {type(model).__name__}, expected a torch.nn.Module."
        )
    if not (isinstance(spike_layer_class, type) and issubclass(spike_layer_class, StatefulLayer)):
        raise TypeError(
            f"from_model: spike_layer_class is {spike_layer_class!r}, expected a class of picojoule's layers, such as IAF or "
            "IAFSqueeze."
        )
    if not bias_rescaling > 0:
        raise ValueError(f"from_model: bias_rescaling is {bias_rescaling}, expected a number > 0.")
    if max_pooling not in (None, "spiking", "each_step"):
        raise ValueError(
            f"from_model: max_pooling is {max_pooling!r}, expected 'spiking', 'each_step' or None."
        )
    warn_of_hooks(model, "from_model", "looked into", "that is not converted", "nothing is lost")
    if bias_rescaling != 1.0:
        check_biases(model)
    if backend is not None:
        spike_layer_class = _class_of_backend(backend)
    arguments = {
        "spike_threshold": spike_threshold,
        "spike_fn": spike_fn,
        "reset_fn": reset_fn,
        "surrogate_grad_fn": surrogate_grad_fn,
        "min_v_mem": min_v_mem,
        **(kwargs_backend or {}),
    }
    pool: Any = SpikingMaxPooling2dLayer
    sizes: dict[str, int | None] = {}
    if issubclass(spike_layer_class, SqueezeMixin):
        pool = SpikingMaxPooling2dLayerSqueeze
        sizes = {"batch_size": batch_size, "num_timesteps": num_timesteps}
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))

    def make_neuron() -> StatefulLayer:
        neuron: Any = spike_layer_class
        return neuron(**arguments, **sizes).to(device=like.device, dtype=like.dtype)  # type: ignore[no-any-return]

    # before a forward pass is written anew: layers that it looks into are none afterwards
    rescaled = with_divided_biases(model, bias_rescaling)
    spiking = with_neurons(rescaled, make_neuron, max_pooling, partial(pool, **sizes))
    if add_spiking_output:
        spiking = with_spiking_output(spiking, make_neuron)
    with one_call_each(spiking):  # the one forward pass is that of input_shape
        return Network(
            model,
            spiking,
            input_shape=input_shape,
            synops=synops,
            batch_size=1 if batch_size is None else batch_size,
            num_timesteps=1 if num_timesteps is None else num_timesteps,
        )


def _class_of_backend(backend: str) -> type[StatefulLayer]:
    warnings.warn(
        "from_model: backend is deprecated; use spike_layer_class.", UserWarning, stacklevel=3
    )
    if backend != "sinabs":
        raise ValueError(
            f"from_model: backend is {backend!r}, expected 'sinabs'. Name a class by spike_layer_class instead."
        )
    return IAFSqueeze
