"""YAML files of plain values."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from picojoule.atomic_write import write_atomically
from picojoule.extras import extra

_NUMBER = r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"


def read_yaml(path: Path) -> dict[str, Any]:
    """The names and values in a file. `6e4` is a number, which YAML 1.1 would take for a word.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds no names with values.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "run.yaml"
        >>> _ = file.write_text("synops_per_timestep: {4: 6e4}")
        >>> read_yaml(file)
        {'synops_per_timestep': {4: 60000.0}}
    """
    with extra("train"):
        import yaml
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())  # noqa: S506  (a safe one)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ValueError(f"{path}{line}: no YAML, or damaged ({_first_line(error)}).") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} holds a {type(values).__name__}, expected lines of `name: value`."
        )
    return values


def write_yaml(path: Path, values: dict[str, Any]) -> None:
    """Write plain values by name, atomically.

    Raises:
        OSError: it could not be written.
    """
    with extra("train"):
        import yaml
    write_atomically(path, yaml.safe_dump(values, sort_keys=False).encode())


def _first_line(error: Exception) -> str:
    return getattr(error, "problem", None) or str(error).splitlines()[0]


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """SafeLoader that knows numbers as JSON writes them."""

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(f"^{_NUMBER}$"), list("-+.0123456789")
    )
    return Loader
