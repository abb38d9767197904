"""What an option of Python is called on the command line, in sentences that name it."""

from __future__ import annotations

import re
from collections.abc import Mapping

# by the names of picojoule.Monitor; "spiking" and "ignore" are lists there and repeated flags here
COUNTING = {
    "time_axis": "--time-axis",
    "num_timesteps": "--num-timesteps",
    "samples": "--samples",
    "spiking": "--spiking",
    "ignore": "--ignore",
    "inputs": "--input-kind",
    "weights": "--weights",
}
# by those of picojoule.Budget
BUDGET = {"profile": "--profile", "per": "--per", "unreachable": "--unreachable"}
SWEEP = BUDGET | {"seeds": "--seeds", "jobs": "--jobs", "unit": "--unit"}

# what cannot be done from here, and what can
_WAYS = {
    r"^load_data: ": "--data ",
    r"Pass formulas=\{(\w+): your_formula\}(?:, or ignore=\[.*\])?(?:; or delete the parameter .* uses it)?\.": r"In Python picojoule.Monitor(model, "
    r"formulas={\1: your_formula}) counts it, and picojoule.Budget(monitor, ...) trains it.",
    r"For another, pass an EnergyProfile instead of a name\.": "picojoule info tells what each costs.",
    r"For another, pass a MemoryCost instead of a name\.": "Name one of these, as in --profile 45nm-int8+step.",
    r"compare SynOps per second with core_load\(\), or choose a profile with joules\.": "choose one with joules, of those that "
    "picojoule info lists.",
    r"or add the memory to a profile with arithmetic_only=True\.": "or add the memory to bare arithmetic, as in --profile "
    "45nm-int8+step.",
    r"Name each once; give one of your own another name, with dataclasses.replace.*": "Name each --profile once.",
    r"groups=\{name: \[layers\]\}": "--group NAME=LAYER,...",
    r"Budget\((\w+)=\)": r"\1=",
}


_OF_THE_LIBRARY = re.compile(
    r"(Monitor|Budget|sweep|training|energy|energy_j|EnergyProfile|Report|load_data)\b"
)


def error_in_flags(sentence: str, flags: Mapping[str, str]) -> str:
    """The same of an error, if it is the library's: one of the user's own code stays as it is.

    Example:
        >>> error_in_flags("Monitor: samples is 0, expected a whole number >= 1.", COUNTING)
        '--samples is 0, expected a whole number >= 1.'
        >>> error_in_flags("my model: samples=0 is too few", COUNTING)
        'my model: samples=0 is too few'
    """
    return in_flags(sentence, flags) if _OF_THE_LIBRARY.match(sentence) else sentence


def in_flags(sentence: str, flags: Mapping[str, str]) -> str:
    """The sentence with options as they are typed.

    Args:
        sentence: of an error or a warning, which names options as Python does.
        flags: of a command, by those names.

    Example:
        >>> in_flags("Monitor: samples is 0. Pass spiking=[A, B], with time_axis= ('bt' or 'tb').", COUNTING)
        "--samples is 0. Pass --spiking A --spiking B, with --time-axis ('bt' or 'tb')."
    """
    for written, way in _WAYS.items():
        sentence = re.sub(written, way, sentence)
    for name, flag in flags.items():
        sentence = re.sub(rf"^(?:Monitor|sweep): {name} (is|names) ", rf"{flag} \1 ", sentence)
        sentence = re.sub(rf"(?<![\w.']){name}=", f"{flag}=", sentence)
        sentence = re.sub(rf"{flag}=\[([^\]]*)\]", lambda m, f=flag: _repeated(f, m[1]), sentence)  # type: ignore[misc]
        sentence = re.sub(rf"{flag}=(['\"]?)([\w+-]+)\1", rf"{flag} \2", sentence)
        sentence = sentence.replace(f"{flag}=", flag)
    return sentence.removeprefix("Monitor: ")


def _repeated(flag: str, listed: str) -> str:
    return " ".join(f"{flag} {each.strip().strip(chr(39))}" for each in listed.split(","))
