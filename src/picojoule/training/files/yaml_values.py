"""YAML as plain values, read one way.

Names (keys, and the members of lists) are text as it is written, so a layer 1.10 stays 1.10. A value is a number, true or
false, or nothing where every version of YAML says so; what YAML 1.1 alone takes for something else (yes, 1:30, 010,
2026-01-01) is a word, and it is for the setting to say what it expects. Aliases count as what they stand for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from picojoule.extras import extra
from picojoule.training.config_error import ConfigError

_MOST_VALUES, _DEEPEST = 10_000, 20
_UNTAGGED = "untagged"
_NOTHING = re.compile(r"|~|null|Null|NULL")
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?((\d[\d_]*\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+)", re.ASCII)
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")
_MOST_DIGITS = 300  # more than any number that is meant


def read_mapping(text: str, where: str) -> tuple[dict[str, Any], dict[str, int]]:
    r"""The names and values in a text, and the lines of the names, from 1 on.

    Args:
        text: YAML.
        where: it comes from, for messages.

    Raises:
        ConfigError: it is no YAML, holds no names with values, names one twice, has tags, or is too large once its
            aliases are followed.

    Example:
        >>> read_mapping("min_rate: 1e-2\ngroups: {tail: [7, 1.10]}", "run.yaml")
        ({'min_rate': 0.01, 'groups': {'tail': ['7', '1.10']}}, {'min_rate': 1, 'groups': 2})
    """
    with extra("train"):
        import yaml
    try:
        root = yaml.compose(text, Loader=_loader())
        return _Reader(where).root(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{where}{line}: no YAML, or damaged ({reason}).") from error


def plain_value(text: str) -> Any:
    """What a word without quotes stands for: nothing, a truth, a number, or itself.

    Example:
        >>> plain_value("1e-3"), plain_value("null"), plain_value("lenet")
        (0.001, None, 'lenet')
    """
    if _NOTHING.fullmatch(text):
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    special = _SPECIAL.fullmatch(text)
    if special is not None:
        return float(special[1] + special[2])
    if len(text) > _MOST_DIGITS:
        return text
    if _WHOLE.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    return float(text.replace("_", "")) if _NUMBER.fullmatch(text) else text


class _Reader:
    def __init__(self, where: str) -> None:
        self._where, self._count = where, 0
        self._open: set[int] = set()  # what is being read, so that an alias to it is known

    def root(self, node: Any) -> tuple[dict[str, Any], dict[str, int]]:
        if node is None or (node.id == "scalar" and _NOTHING.fullmatch(node.value)):
            return {}, {}
        if node.id != "mapping":
            raise ConfigError(
                f"{self._where} holds a {_kind(node)}, expected lines of `name: value`."
            )
        values = self._mapping(node)
        return values, {key.value: _line(key) for key, _ in node.value if key.value in values}

    def _value(self, node: Any) -> Any:
        self._count += 1
        if self._count > _MOST_VALUES:
            raise self._error(node, f"more than {_MOST_VALUES:,} values, with aliases followed")
        if node.tag != _UNTAGGED:
            raise self._error(node, f"a tag, {node.tag!r}; write plain values")
        if node.id == "scalar":
            return node.value if node.style else plain_value(node.value)
        if id(node) in self._open:
            raise self._error(node, "a value that contains itself")
        self._open.add(id(node))
        value = (
            self._mapping(node) if node.id == "mapping" else [self._member(n) for n in node.value]
        )
        self._open.discard(id(node))
        return value

    def _member(self, node: Any) -> Any:
        value = self._value(node)
        return node.value if node.id == "scalar" else value

    def _mapping(self, node: Any) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.id != "scalar":
                raise self._error(key, f"a {_kind(key)} as a name; expected a word")
            name = key.value
            if name in lines:
                raise self._error(key, f"{name} twice; it is in line {lines[name]}, too")
            lines[name] = _line(key)
            if name == "<<" and not key.style:
                for other in self._merged(value):
                    merged = other | merged
            else:
                own[name] = self._value(value)
        return merged | own

    def _merged(self, node: Any) -> Iterator[dict[str, Any]]:
        for part in node.value if node.id == "sequence" else [node]:
            value = self._value(part)
            if not isinstance(value, dict):
                raise self._error(part, f"<< with a {_kind(part)}; it takes names with values")
            yield value

    def _error(self, node: Any, what: str) -> ConfigError:
        return ConfigError(f"{self._where}, line {_line(node)}: there is {what}.")


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _kind(node: Any) -> str:
    return {"mapping": "mapping", "sequence": "list", "scalar": "word"}[node.id]


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.BaseLoader):
        """Leaves the reading of words to us, lets tags be told from none, and ends early where there is too much."""

        def __init__(self, text: str) -> None:
            super().__init__(text)
            self.nodes = self.depth = 0

        def resolve(self, *_: object) -> str:
            return _UNTAGGED

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.nodes, self.depth = self.nodes + 1, self.depth + 1
            if self.nodes > _MOST_VALUES or self.depth > _DEEPEST:
                much = f"more than {_MOST_VALUES:,} values, or {_DEEPEST} inside one another"
                raise yaml.composer.ComposerError(None, None, much, self.peek_event().start_mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    return Loader


@cache
def dumper() -> Any:
    """Writes plain values so that they are read as the same: `1e5` is a number here and a word in YAML 1.1."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(f"^{_NUMBER.pattern}$"), None
    )
    return Dumper
