"""Names the layer that keeps a state with its graph between calls, as other libraries' neurons do that nobody resets."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn


def kept_graph(model: nn.Module, error: RuntimeError) -> str | None:
    """What to say of an error of a backward pass that goes back into an earlier call; None of any other.

    Example:
        >>> kept_graph(nn.Linear(2, 3), RuntimeError("out of memory")) is None
        True
    """
    if "second time" not in str(error):
        return None
    layers = [
        name
        for name, module in model.named_modules()
        if next(_with_graph(module), None) is not None
    ]
    which = f"layer {layers[0]!r} keeps" if layers else "a layer of the model keeps"
    return (
        f"{which} its state between calls, with the graph of the last one. The states of Picojoule's layers are reset between batches; "
        "reset those of other libraries at the start of the model's forward (SpikingJelly: functional.reset_net(self); snnTorch: "
        "init_leaky() or utils.reset(self); sinabs: sinabs.reset_states(self))."
    )


def _with_graph(module: nn.Module) -> Iterator[Tensor]:
    held = (vars(module), module._buffers, vars(module).get("_memories", {}))
    for values in held:
        for value in values.values():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                yield value
