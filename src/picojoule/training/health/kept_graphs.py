"""Names the layer that keeps a state with its graph between calls, as other libraries' neurons do that nobody resets."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from picojoule.layers import StatefulLayer

_USED_UP = ("second time", "already used by an earlier backward")  # of PyTorch, and of our neurons


def kept_graph(model: nn.Module, error: RuntimeError) -> str | None:
    """What to say of an error of a backward pass that goes back into an earlier call; None of any other.

    Example:
        >>> kept_graph(nn.Linear(2, 3), RuntimeError("out of memory")) is None
        True
    """
    if not any(words in str(error) for words in _USED_UP):
        return None
    kept = [
        each for each in (_kept(name, module) for name, module in model.named_modules()) if each
    ]
    return (
        f"{kept[0] if kept else 'a layer of the model keeps its state'} between calls, with the graph of the last one. "
        "The states of Picojoule's layers are reset between batches; reset those of other libraries at the start of the "
        "model's forward (SpikingJelly: functional.reset_net(self); snnTorch: init_leaky() or utils.reset(self); sinabs: "
        "sinabs.reset_states(self)), and detach() what the model keeps itself."
    )


def _kept(name: str, module: nn.Module) -> str | None:
    """Who keeps what; a layer of Picojoule's is reset, and has the graph of this call alone."""
    what = None if isinstance(module, StatefulLayer) else next(_with_graph(module), None)
    kind = type(module).__name__
    return what and f"{f'layer {name!r}' if name else 'the model'} ({kind}) keeps {what!r}"


def _with_graph(module: nn.Module) -> Iterator[str]:
    """Names of attributes."""
    held = (vars(module), module._buffers, vars(module).get("_memories", {}))
    for values in held:
        for name, value in values.items():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                yield name
