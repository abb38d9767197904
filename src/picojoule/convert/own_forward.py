"""Whether a layer of torch computes what its class does."""

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
