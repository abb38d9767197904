"""YAML files of plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from picojoule.atomic_write import write_atomically
from picojoule.extras import extra
from picojoule.training.config_error import ConfigError
from picojoule.training.files.yaml_values import dumper, read_mapping

_MOST_BYTES = 128 * 1024


class Settings(NamedTuple):
    """What a file states.

    Args:
        values: by name.
        places: file and line of each name, to begin a message with.
    """

    values: dict[str, Any]
    places: dict[str, str]


def read_settings(path: str | Path) -> Settings:
    """The names and values in a file, and where they are; see :mod:`picojoule.training.files.yaml_values`.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: it is damaged or too large, holds no names with values, or names one twice.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "run.yaml"
        >>> _ = file.write_text("synops_per_timestep: {4: 6e4}")
        >>> read_settings(file).values
        {'synops_per_timestep': {'4': 60000.0}}
    """
    with Path(path).open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ConfigError(
            f"{path} is larger than {_MOST_BYTES // 1024} kB, too large for settings."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: no text in UTF-8 ({error.reason}).") from error
    values, lines = read_mapping(text, str(path))
    return Settings(values, {name: f"{path}, line {line}: " for name, line in lines.items()})


def write_yaml(path: str | Path, values: dict[str, Any]) -> None:
    """Write plain values by name, atomically.

    Raises:
        OSError: it could not be written.
    """
    with extra("train"):
        import yaml
    write_atomically(path, yaml.dump(values, Dumper=dumper(), sort_keys=False).encode())
