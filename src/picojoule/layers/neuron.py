"""What neurons with a leaky membrane have in common: time constants, and values in their range."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers.stateful_layer import StatefulLayer
from picojoule.ops.ranges import brief, out_of_range

Value = Tensor | float


class LeakyNeuron(StatefulLayer):
    """A stateful layer with time constants `tau_*`, or shares `alpha_*` in their place.

    A subclass adds its time constants with `_add_time_constant`; parameters named `tau_*`,
    `alpha_*`, `spike_threshold` or `min_v_mem` are kept in their range, at construction and on loading.
    """

    tau_mem: nn.Parameter | None
    tau_syn: nn.Parameter | None
    alpha_mem: nn.Parameter | None
    alpha_syn: nn.Parameter | None
    norm_input: bool

    def _add_time_constant(self, name: str, tau: Value | None, as_alpha: bool) -> None:
        parameters: dict[str, nn.Parameter | None] = {f"tau_{name}": None, f"alpha_{name}": None}
        if tau is not None:
            own = own_parameter(tau, trained=True)
            raise_if(out_of_range(f"tau_{name}", own), type(self).__name__)
            if as_alpha:
                parameters[f"alpha_{name}"] = nn.Parameter(torch.exp(-1 / own.detach()))
            else:
                parameters[f"tau_{name}"] = own
        for key, parameter in parameters.items():
            self.register_parameter(key, parameter)

    @property
    def alpha_mem_calculated(self) -> Tensor | float:
        """Share of the potential that a step keeps."""
        alpha = kept_share(self.tau_mem, self.alpha_mem)
        return 1.0 if alpha is None else alpha

    @property
    def alpha_syn_calculated(self) -> Tensor | None:
        """Share of the synaptic current that a step keeps; None without one."""
        return kept_share(self.tau_syn, self.alpha_syn)

    @property
    def tau_mem_calculated(self) -> Tensor | None:
        """Membrane time constant in steps; None where nothing leaks."""
        return _tau(self.tau_mem, self.alpha_mem)

    @property
    def tau_syn_calculated(self) -> Tensor | None:
        """Synaptic time constant in steps; None without a synaptic current."""
        return _tau(self.tau_syn, self.alpha_syn)

    def _argument(self, name: str) -> Any:
        if name.startswith("tau_"):
            tau = _tau(getattr(self, name), getattr(self, name.replace("tau", "alpha")))
            return None if tau is None else tau.detach()
        return super()._argument(name)

    def check_parameters(self) -> None:
        """Raise ValueError if a time constant, share, threshold or bound is out of its range, or lets no input in."""
        for name, parameter in self.named_parameters(recurse=False):
            raise_if(out_of_range(name, parameter), type(self).__name__)
        tau = self.tau_mem
        endless = tau is None or (not tau.is_meta and bool(tau.isinf().any()))
        if self.norm_input and self.alpha_mem is None and endless:
            raise ValueError(
                f"{type(self).__name__}: norm_input multiplies the input by 1 - alpha_mem, which is 0 without a leak (tau_mem is "
                f"{'None' if tau is None else 'infinite'}): nothing would come in. Use norm_input=False, or IAF."
            )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        saved = {name: state_dict.get(prefix + name) for name in self._parameters}
        faults = [out_of_range(name, x) for name, x in saved.items() if isinstance(x, Tensor)]
        if any(faults):
            error_msgs.extend(f"{prefix}{fault}" for fault in faults if fault)
            return
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        shown = [f"{name}={brief(p)}" for name, p in self.named_parameters(recurse=False)]
        if self.norm_input:
            shown.append("norm_input=True")
        return ", ".join(shown)


def own_parameter(value: Value, trained: bool) -> nn.Parameter:
    """A parameter that shares no memory with what the caller holds."""
    own = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
    return nn.Parameter(own, requires_grad=trained)


def kept_share(tau: Tensor | None, alpha: Tensor | None) -> Tensor | None:
    """What a step keeps, from whichever of the two is the parameter; None without either."""
    if alpha is not None or tau is None:
        return alpha
    return torch.exp(-1 / tau.to(torch.promote_types(tau.dtype, torch.float32)))


def _tau(tau: Tensor | None, alpha: Tensor | None) -> Tensor | None:
    return -1 / alpha.log() if alpha is not None else tau


def raise_if(fault: str | None, owner: str) -> None:
    """Raise ValueError for a fault in the name of the layer that has it."""
    if fault is not None:
        raise ValueError(f"{owner}: {fault}")
