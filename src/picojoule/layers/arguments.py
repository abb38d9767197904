"""The constructor arguments of a layer class, those it hands on to its bases included."""

from __future__ import annotations

from inspect import Parameter, signature

HANDED_ON = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def constructor_arguments(layer_class: type) -> dict[str, Parameter]:
    """The arguments by name, in the order of the classes that name them.

    `*args` and `**kwargs` stand for the arguments of the next class that has a constructor.

    Example:
        >>> from picojoule.layers import IAFSqueeze
        >>> list(constructor_arguments(IAFSqueeze))[:3]
        ['batch_size', 'num_timesteps', 'spike_threshold']
    """
    arguments: dict[str, Parameter] = {}
    for owner in layer_class.__mro__:
        if "__init__" not in vars(owner):
            continue
        _self, *parameters = signature(vars(owner)["__init__"]).parameters.values()
        for parameter in parameters:
            if parameter.kind not in HANDED_ON:
                arguments.setdefault(parameter.name, parameter)
        if not any(parameter.kind in HANDED_ON for parameter in parameters):
            break
    return arguments
