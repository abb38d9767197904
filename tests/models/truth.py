"""What a model spends, by brute force: every multiplication that PyTorch makes below autograd, counted from its inputs.

Nothing here knows the library. Which data are spikes, and what one is worth, is written by hand for each
model; that values agree with what was written is checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

aten: Any = torch.ops.aten


@dataclass
class Truth:
    """Sums over all samples and time steps of one forward pass."""

    synops: float = 0.0
    macs: float = 0.0
    updates: int = 0
    by_module: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, synops: float, macs: float) -> None:
        self.synops, self.macs = self.synops + synops, self.macs + macs
        self.by_module[name] = self.by_module.get(name, 0.0) + synops


def truth(
    model: nn.Module,
    run: Callable[[], Any],
    neurons: tuple[type[nn.Module], ...],
    units: Mapping[str, float] | None = None,
    products: Mapping[str, list[str]] | None = None,
) -> Truth:
    """Run the model once and count.

    Args:
        model: the model that `run` calls.
        run: the call.
        neurons: its neuron classes: each value that one gives is an update.
        units: value of one spike by the module that it arrives at, where it is not 1.
        products: by module, what each of its products of two data tensors multiplies, in their order: "ss"
            spikes with spikes, "sd" spikes with dense values, "ds", or "dd"; "w" is made of weights.
    """
    found = Truth()
    stack, handles = [""], []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda *_, n=name: stack.append(n)))
        handles.append(module.register_forward_hook(lambda *_: _leave(stack)))
        if isinstance(module, neurons):
            handles.append(module.register_forward_hook(_counting(found)))
    try:
        with (
            torch.no_grad(),
            _Multiplications(model, found, stack, units or {}, products or {}) as seen,
        ):
            run()
    finally:
        for handle in handles:
            handle.remove()
    assert not any(seen.products.values()), f"products that were not made: {seen.products}"
    return found


def _leave(stack: list[str]) -> None:
    stack.pop()


def _counting(found: Truth) -> Callable[..., None]:
    def count(_: nn.Module, args: Any, output: Any) -> None:
        made = output[0] if isinstance(output, tuple) else output
        found.updates += (args[0] if made is None else made).numel()

    return count


class _Multiplications(TorchDispatchMode):
    def __init__(
        self,
        model: nn.Module,
        found: Truth,
        stack: list[str],
        units: Mapping[str, float],
        products: Mapping[str, list[str]],
    ) -> None:
        super().__init__()
        self._weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self._found, self._stack, self._units = found, stack, units
        self.products = {name: list(kinds) for name, kinds in products.items()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        if packet is aten.convolution:
            self._convolution(*args)
        elif packet in (aten.addmm, aten.baddbmm, aten.addmv):
            self._product(args[1], args[2])
        elif packet in (aten.mm, aten.bmm, aten.mv, aten.dot):
            self._product(args[0], args[1])
        elif packet is aten.embedding:  # an index is one spike, at the row of its number
            self._found.add(self._stack[-1], args[1].numel() * args[0].shape[1], 0.0)
        else:
            assert packet not in _OTHERS, f"{func} multiplies, too"
        return func(*args, **(kwargs or {}))

    def _convolution(
        self,
        x: Tensor,
        w: Tensor,
        _: Any,
        stride: Any,
        pad: Any,
        dilation: Any,
        transposed: bool,
        *more: Any,
    ) -> None:
        assert not transposed
        convolve = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[w.ndim]

        def arrivals(values: Tensor) -> float:
            ones = torch.ones_like(w, dtype=torch.float64)
            return (
                convolve(values.double(), ones, None, stride, pad, dilation, more[1]).sum().item()
            )

        spikes = self._spikes(x)
        name = self._stack[-1]
        if spikes is None:
            self._found.add(name, 0.0, arrivals(torch.ones_like(x)))
        else:
            self._found.add(name, arrivals(spikes), 0.0)

    def _product(self, a: Tensor, b: Tensor) -> None:
        """Every pair of values that meets, by the product of their spikes; of weights and dense values, of ones."""
        name = self._stack[-1]
        if self._is_weight(a) or self._is_weight(b):
            spikes = [None if self._is_weight(x) else self._spikes(x) for x in (a, b)]
        else:
            kinds = self.products[name].pop(0)
            spikes = []
            for x, kind in zip((a, b), kinds, strict=True):
                spikes.append(self._spikes(x) if kind == "s" else None)
                assert (spikes[-1] is None) == (kind != "s"), f"no spikes in {name}"
        values = [
            torch.ones_like(x, dtype=torch.float64) if s is None else s
            for x, s in zip((a, b), spikes, strict=True)
        ]
        number = (values[0] @ values[1]).sum().item()
        dense = all(s is None for s in spikes)
        self._found.add(name, 0.0 if dense else number, number if dense else 0.0)

    def _is_weight(self, x: Tensor) -> bool:
        return x.untyped_storage().data_ptr() in self._weights

    def _spikes(self, x: Tensor) -> Tensor | None:
        """How many spikes each value stands for; None of dense values."""
        name = self._stack[-1]
        counts = x.detach().double().abs() / self._units.get(name, 1.0)
        whole = counts.round()
        if torch.allclose(counts, whole, atol=1e-4, rtol=0):
            return whole
        assert name not in self._units, f"the spikes at {name!r} are not worth {self._units[name]}"
        return None


_OTHERS = {
    getattr(aten, name)
    for name in (
        "addbmm", "addr", "linear", "matmul", "einsum", "tensordot", "convolution_overrideable",
        "_scaled_dot_product_attention_math", "_trilinear", "lstm", "gru",  "vdot",
    )
}  # fmt: skip
