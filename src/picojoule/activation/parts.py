"""Whether what a neuron is given for its spikes, its reset and its slope can serve."""

from __future__ import annotations


def check_parts(owner: str, *, may_be_silent: bool = True, **parts: object) -> None:
    """Raise TypeError if a part of a neuron is none, before the first step stumbles over it.

    Args:
        owner: whose parts they are, for the message.
        may_be_silent: whether the spike function may be None, for a neuron that never fires.
        **parts: by the names of their arguments; the name of the spike function begins with `spike`.

    Raises:
        TypeError: the spike function has no `apply`; or another part cannot be called, or is a class in place of an
            instance.

    Example:
        >>> from picojoule.activation import MultiSpike
        >>> check_parts("LIF", spike_fn=MultiSpike)
        >>> check_parts("LIF", spike_fn="multi")
        Traceback (most recent call last):
        TypeError: LIF: spike_fn is 'multi', expected one with apply(v_mem, threshold, surrogate) such as MultiSpike, or None.
    """
    for name, part in parts.items():
        if name.startswith("spike"):
            fits = callable(getattr(part, "apply", None)) or (part is None and may_be_silent)
            expected = "one with apply(v_mem, threshold, surrogate) such as MultiSpike"
            expected += ", or None" if may_be_silent else ""
        else:
            fits = callable(part) and not isinstance(part, type)
            takes = "spikes, state, threshold" if name.startswith("reset") else "v_mem, threshold"
            expected = f"a function of ({takes})"
        if fits:
            continue
        given = repr(part)
        if isinstance(part, type):
            given, expected = f"the class {part.__name__}", f"an instance, {part.__name__}()"
        raise TypeError(f"{owner}: {name} is {given}, expected {expected}.")
