"""Whether a layer computes what its class does."""

from __future__ import annotations

from torch import nn

_CONTAINERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)
_OF_TORCH = ("torch.nn.", "torch.ao.nn.")
# what a subclass may have of its own without computing anything else
_HARMLESS = {"reset_parameters", "__constants__", "_version", "_check_input_dim", *dir(nn.Module)}
_HARMLESS -= {"forward", "__call__"}


def is_as_torch_made_it(layer: nn.Module) -> bool:
    """Whether a layer is one of torch's, or of a subclass that changes nothing in how it computes.

    A change is a forward pass, or a method that it calls, of a subclass or put into the layer itself.
    """
    kinds = type(layer).__mro__
    place = next(i for i, kind in enumerate(kinds) if f"{kind.__module__}.".startswith(_OF_TORCH))
    of_torch = kinds[place]
    if of_torch in _CONTAINERS:
        return False
    own = {name for kind in kinds[:place] for name in vars(kind)}
    patched = {name for name in vars(layer) if callable(getattr(of_torch, name, None))}
    return not (own | patched).intersection(dir(of_torch)) - _HARMLESS


def check_forwards(where: str, model: nn.Module) -> None:
    """Raise NotImplementedError if a module's `forward` was set on it: what its class does is then not what it computes."""
    for name, module in model.named_modules():
        if "forward" not in vars(module):
            continue
        place, kind = repr(name) if name else "the model", type(module).__name__
        inside = getattr(module, "_orig_mod", None)
        if isinstance(inside, nn.Module):
            raise NotImplementedError(
                f"{where}: {place} ({kind}) was made by torch.compile. Pass what it was made of, its _orig_mod."
            )
        raise NotImplementedError(
            f"{where}: {place} ({kind}) has a forward that was set on it (module.forward = ...), so its class does not say what it "
            "computes. Write that as a module of its own."
        )
