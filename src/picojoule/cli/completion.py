"""What a shell offers behind an option when TAB is pressed; a folder or a file is left to the shell."""

from __future__ import annotations

from pathlib import Path

from picojoule.energy import memories, profiles
from picojoule.training.files.run_folder import CONFIG
from picojoule.training.networks.factories import BUILT_IN

_RUNS = Path("runs")  # where `picojoule train` puts them by default


def complete_profile(incomplete: str) -> list[str]:
    """Names of profiles; behind a plus those with a memory.

    Example:
        >>> complete_profile("loi"), complete_profile("45nm-int8+s")
        (['loihi', 'loihi-routed'], ['45nm-int8+step', '45nm-int8+sram-8kb', '45nm-int8+sram-32kb', '45nm-int8+sram-1mb'])
    """
    chips = [each for each in profiles() if each.has_joules()]
    names = [each.name for each in chips]
    if "+" in incomplete:
        bare = [each.name for each in chips if each.arithmetic_only]
        names = [f"{name}+{memory.name}" for name in bare for memory in memories()]
    return [name for name in names if name.startswith(incomplete.lower())]


def complete_model(incomplete: str) -> list[str]:
    """The built-in models, files of Python up to their colon, and .nir files, from where one is.

    Example:
        >>> complete_model("len")
        ['lenet']
    """
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    begin = "./" if incomplete.startswith("./") and folder == Path() else ""
    here = sorted(folder.iterdir()) if folder.is_dir() else []
    endings = {".py": ":", ".nir": ""}
    files = [f"{begin}{each}{endings[each.suffix]}" for each in here if each.suffix in endings]
    folders = [f"{begin}{each}/" for each in here if each.is_dir() and each.name[0] not in "._"]
    return [each for each in (*BUILT_IN, *files, *folders) if each.startswith(incomplete)]


def complete_run(incomplete: str) -> list[str]:
    """The same, and the folders of runs below `runs`."""
    runs = sorted(str(each.parent) for each in _RUNS.glob(f"*/{CONFIG}"))
    others = [each for each in complete_model(incomplete) if each.removesuffix("/") not in runs]
    return [*(each for each in runs if each.startswith(incomplete)), *others]
