"""The limits of a chip as flags state them."""

from __future__ import annotations

from picojoule.cli.flag_values import parsed_bound
from picojoule.events.orders import ChipLimits


def chip_limits(
    weight_bits: int | None,
    state_bits: int | None,
    one_threshold: bool,
    decimate: str | None,
    queue_length: int | None,
) -> ChipLimits:
    """What the options say a chip cannot do.

    Raises:
        ValueError: they do not go together, or --decimate is out of its range.
    """
    if state_bits is not None and weight_bits is None:
        raise ValueError(
            f"--state-bits {state_bits} makes potentials whole numbers, which they are only if the weights are. Add "
            "--weight-bits, such as --weight-bits 8."
        )
    return ChipLimits(
        weight_bits=weight_bits,
        state_bits=state_bits,
        one_threshold_per_layer=one_threshold,
        decimate=1 if decimate is None else _decimation(decimate),
        queue_length=queue_length,
    )


def _decimation(text: str) -> int | dict[str, int]:
    try:
        stated = parsed_bound(text)
    except ValueError as error:
        raise ValueError(f"--decimate: {error}") from None
    every = stated.values() if isinstance(stated, dict) else [stated]
    if any(number < 1 or number != int(number) for number in every):
        raise ValueError(f"--decimate is {text}, expected whole numbers >= 1.")
    if isinstance(stated, dict):
        return {name: int(number) for name, number in stated.items()}
    return int(stated)
