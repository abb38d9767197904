"""What could not be known of a forward pass, as sentences that name the option."""

from __future__ import annotations

from collections.abc import Iterable

from picojoule.synops.watch.judged import can_be_read
from picojoule.synops.watch.neurons import Neurons
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.step_count import StepCount

_MOST_NAMES = 4


def doubts(neurons: Neurons, step_count: StepCount, origins: Origins) -> dict[str, bool]:
    """Sentences, and whether to warn. On a first forward pass, may wait for the device."""
    found = dict.fromkeys(step_count.doubts, True)
    if neurons.search is None:
        return found
    if neurons.found:
        types = ", ".join(sorted(set(neurons.found.values())))
        found[
            f"modules were taken for spiking layers because of what they do: {_listed(neurons.found)}. "
            f"Pass spiking=[{types}] to say so, with time_axis= where their time is."
        ] = True
    alike = neurons.search.alike
    if alike:
        types = ", ".join(sorted(set(alike.values())))
        found[
            f"modules look like neurons, but nothing shows their time: {_listed(alike)}. Their updates and firing "
            f"rates are not counted. Pass spiking=[{types}] if they are neurons."
        ] = True
    if not neurons.any and not alike and _spikes_of_nobody(origins):
        time = "" if step_count.told else "time steps (taken for 1), "
        found[
            f"no spiking layer was recognised, but the model makes spikes: {time}neuron updates and firing rates are "
            "unknown. Pass spiking= the types or names of modules that spike; where no module does, num_timesteps= "
            "and samples=, or time_axis=."
        ] = not step_count.told
    return found


def replaced_by_hooks(names: Iterable[str]) -> dict[str, bool]:
    """That hooks of the user's change what modules give, as adapters do: what they multiply is not seen."""
    listed = ", ".join(map(repr, names))
    if not listed:
        return {}
    sentence = (
        f"forward hooks change the output of {listed}. What they multiply is not counted, and what they give is taken "
        "for spikes if all values are whole numbers. Do it in a module's forward to have it counted."
    )
    return {sentence: True}


def turned_dense(names: Iterable[str]) -> dict[str, bool]:
    """That layers which were given spikes get dense values now, so that they spend no SynOps whatever they do."""
    listed = ", ".join(map(repr, names))
    if not listed:
        return {}
    sentence = (
        f"{listed} had spikes in an earlier forward pass and has dense values now, so its products are MACs and its SynOps 0. "
        "Sums of spikes that are worth different values are dense: give neurons that are added up one threshold, or weigh each by itself."
    )
    return {sentence: True}


def left_pytorch(names: Iterable[str]) -> dict[str, bool]:
    """That values went where nobody sees what is done to them."""
    listed = ", ".join(repr(name) if name else "the model itself" for name in names)
    if not listed:
        return {}
    sentence = (
        f"values leave PyTorch in {listed}, by numpy() or tolist(). What is multiplied there is not counted. Do it with "
        "tensors, or pass formulas= for the module."
    )
    return {sentence: True}


def left_for_later() -> dict[str, bool]:
    """That the model has yet to compute what it gives."""
    sentence = "the model gives a generator: what it computes when somebody asks for the values is not counted. Have it return a list."
    return {sentence: True}


def _listed(types: dict[str, str]) -> str:
    shown = [f"{name!r} ({kind})" for name, kind in list(types.items())[:_MOST_NAMES]]
    more = len(types) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _spikes_of_nobody(origins: Origins) -> bool:
    """Whether spikes of unknown origin arrived at synapses."""
    return any(can_be_read(spikes) and bool(spikes) for spikes in origins.unexplained or ())
