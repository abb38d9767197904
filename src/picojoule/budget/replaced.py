"""Parameters that took the place of others while a budget trains."""

from __future__ import annotations

from torch import nn

from picojoule.budget.wiring import Wiring


class Parameters:
    """The names of a model's parameters, to find those that it has others for later, as `load_state_dict(assign=True)` leaves it.

    Args:
        model: as it is now.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._names = {parameter: name for name, parameter in model.named_parameters()}

    def up_to_date(self, wiring: Wiring) -> Wiring:
        """The wiring with the parameters that the model has now.

        Raises:
            RuntimeError: one is gone.
        """
        now = dict(self._model.named_parameters())
        used = {p for drive in wiring.drives.values() for p in drive.all}
        others: dict[nn.Parameter, nn.Parameter] = {}
        for old in used - {*now.values()}:
            name = self._names.get(old, "")
            if name not in now:
                raise RuntimeError(
                    f"Budget: the model has lost the parameter {name!r} since the first pass, so nothing tells what drives its "
                    "spikes. Make the Monitor and the Budget anew."
                )
            others[old] = now[name]
        self._names |= {new: self._names[old] for old, new in others.items()}
        return wiring.replaced(others) if others else wiring
