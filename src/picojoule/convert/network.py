"""An ANN and the SNN made of it, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.convert.compare import Array, Comparison, compare
from picojoule.convert.scale_layers import evaluated
from picojoule.convert.settled import copied
from picojoule.hooks import register_synops_hooks
from picojoule.layers import HookHandles, SqueezeMixin, reset_states, stateful_layers, zero_grad

Ranges = Mapping[str, tuple[float, float]]


class Network(nn.Module):
    """A spiking model with the analog model it came from.

    Args:
        analog_model: the ANN; copied. None if there is none.
        spiking_model: the SNN; the forward pass is its.
        input_shape: shape of one input, `*n`; a pass of zeros then gives the states their shape, and
            leaves nothing else behind.
        synops: count SynOps at each forward pass, for :meth:`get_synops`.
        batch_size: samples of that pass.
        num_timesteps: time steps of that pass.

    Raises:
        ValueError: `input_shape` is no shape, or does not go through the spiking model.
        TypeError, NotImplementedError: `synops`, but the spiking model cannot be counted.

    Example:
        >>> from picojoule.layers import IAFSqueeze
        >>> ann = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
        >>> network = Network(ann, nn.Sequential(ann[0], IAFSqueeze(batch_size=1)), synops=True)
        >>> network(torch.ones(10, 3)).shape, network.get_synops()
        (torch.Size([10, 2]), {0: tensor(6.)})
    """

    def __init__(
        self,
        analog_model: nn.Module | None = None,
        spiking_model: nn.Module | None = None,
        input_shape: Sequence[int] | None = None,
        synops: bool = False,
        batch_size: int = 1,
        num_timesteps: int = 1,
    ) -> None:
        super().__init__()
        self.spiking_model = spiking_model
        self.analog_model = None if analog_model is None else copied(analog_model)
        if isinstance(input_shape, int):
            raise TypeError(
                f"Network: input_shape is {input_shape}, expected the shape of one input, ({input_shape},)."
            )
        self.input_shape = None if input_shape is None else tuple(input_shape)
        if not all(isinstance(n, Integral) and n > 0 for n in self.input_shape or ()):
            raise ValueError(
                f"Network: input_shape is {input_shape!r}, expected whole numbers > 0, the shape of one input."
            )
        self.synops = synops
        if self.input_shape is not None and spiking_model is not None:
            _give_states_their_shape(spiking_model, self.input_shape, batch_size, num_timesteps)
        if synops:
            countable: Any = self._spiking("synops=True")
            register_synops_hooks(countable)

    def forward(self, data: Tensor) -> Tensor:
        """The spiking model's output."""
        output: Tensor = self._spiking("a forward pass")(data)
        return output

    @property
    def layers(self) -> list[tuple[str, nn.Module]]:
        """The direct children of the spiking model, by name."""
        return list(self._spiking("layers").named_children())

    def reset_states(
        self, randomize: bool = False, value_ranges: Sequence[Ranges] | None = None
    ) -> None:
        """Set all states to zero, or to random values; see :meth:`StatefulLayer.reset_states`.

        Args:
            randomize: draw uniformly instead.
            value_ranges: a dict of (lowest, highest) by state name for each stateful layer.

        Raises:
            TypeError: there are more or fewer dicts than stateful layers; nothing is changed.
        """
        layers = [layer for _, layer in stateful_layers(self)]
        if value_ranges is not None and len(value_ranges) != len(layers):
            raise TypeError(
                f"Network.reset_states: value_ranges has {len(value_ranges)} entries, expected one for each of the "
                f"{len(layers)} stateful layers."
            )
        for index, layer in enumerate(layers):
            layer.reset_states(randomize, dict(value_ranges[index]) if value_ranges else None)

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Zero all gradients and cut the history of the states."""
        super().zero_grad(set_to_none)
        zero_grad(self)

    def get_synops(self, data: Tensor | None = None) -> dict[int | str, Tensor]:
        """SynOps per time step of each layer, differentiable.

        Args:
            data: what to count, in evaluation mode from states at zero, which are zero again afterwards;
                the network needs no `synops=True` for it. The last forward pass if omitted.

        Raises:
            RuntimeError: without `data`, the network was not built with `synops=True`, or there was no
                forward pass yet.
            TypeError, NotImplementedError: `data`, but the spiking model cannot be counted.
        """
        if data is not None:
            return self._synops_of(data)
        counted = getattr(self.spiking_model, "hook_data", {})
        if not self.synops or "synops_per_timestep" not in counted:
            raise RuntimeError(
                "Network.get_synops: nothing was counted. Build the network with synops=True, and call it first."
            )
        return dict(counted["synops_per_timestep"])

    def _synops_of(self, data: Tensor) -> dict[int | str, Tensor]:
        spiking: Any = self._spiking("get_synops")
        handles = HookHandles() if self.synops else register_synops_hooks(spiking)
        reset_states(spiking)
        try:
            with handles, evaluated(spiking):
                spiking(data)
        finally:
            reset_states(spiking)
        return dict(spiking.hook_data["synops_per_timestep"])

    def compare_activations(
        self,
        data: Tensor,
        name_list: Sequence[str] | None = None,
        compute_rate: bool = False,
        verbose: bool = False,
    ) -> Comparison:
        """Activations of the ANN beside spike counts of the SNN for one sample; see :func:`compare`."""
        analog = self.analog_model
        if analog is None:
            raise ValueError("Network.compare_activations: this network has no analog_model.")
        spiking = self._spiking("compare_activations")
        return compare(analog, spiking, data, name_list, compute_rate, verbose)

    def plot_comparison(
        self, data: Tensor, name_list: Sequence[str] | None = None, compute_rate: bool = False
    ) -> tuple[list[Array], list[Array]]:
        """Draw ANN activations over SNN spike counts on the current matplotlib axes, and return both.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from picojoule.plots import scatter_activations

        analog, spiking, names = self.compare_activations(data, name_list, compute_rate)
        scatter_activations(analog, spiking, names, in_rates=compute_rate)
        return analog, spiking

    def _spiking(self, needed_for: str) -> nn.Module:
        if self.spiking_model is None:
            raise ValueError(f"Network: {needed_for} needs a spiking_model, and there is none.")
        return self.spiking_model


@torch.no_grad()
def _give_states_their_shape(
    model: nn.Module, input_shape: tuple[int, ...], batch_size: int, num_timesteps: int
) -> None:
    folded = any(isinstance(module, SqueezeMixin) for module in model.modules())
    leading = (batch_size * num_timesteps,) if folded else (batch_size, num_timesteps)
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    zeros = torch.zeros(*leading, *input_shape, device=like.device, dtype=like.dtype)
    devices = [like.device] if like.is_cuda else []
    with torch.random.fork_rng(devices), evaluated(model):
        try:
            model(zeros)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"Network: an input of shape {tuple(zeros.shape)}, from input_shape={input_shape}, does not go "
                f"through the spiking model: {error}"
            ) from error
        finally:
            shapes = [(layer, layer.shape) for _, layer in stateful_layers(model)]
            reset_states(model)
    for layer, shape in shapes:
        if shape is not None:
            layer.init_state_with_shape(shape)
