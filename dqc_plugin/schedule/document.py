"""A YAML 1.2 file as plain data, with the place of every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from dqc_plugin.errors import ScheduleError, did_you_mean
from dqc_plugin.schedule.problems import Keys, Origin, Position, Problems

_TAG = "tag:yaml.org,2002:"
_SCALARS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str")}


def read_document(file: Path) -> tuple[Any, Origin]:
    """The file's data (dicts with text keys, lists, scalars) and where each key stands in it.

    Raises ScheduleError for a missing or empty file, wrong YAML, and everything that a schedule does not use:
    keys given twice, anchors and aliases, tags.
    """
    node = _compose(_read_text(file), str(file))
    reader = _Reader(str(file))
    data = reader.read(node, ())
    reader.problems.raise_if_any()
    return data, reader.origin


def parse_value(text: str) -> Any:
    """The value of a piece of YAML such as ``0.9`` or ``{name: adam}``; ScheduleError says what is wrong with it."""
    node = _compose(text, None)
    reader = _Reader(None)
    value = reader.read(node, ())
    reader.problems.raise_if_any()
    return value


def plain(value: Any) -> Any:
    """A copy with dicts for mappings, their keys as text, and lists for sequences, as a file would give it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _read_text(file: Path) -> str:
    if file.is_dir():
        raise ScheduleError(f"{file}: is a folder, not a schedule")
    if not file.exists():
        beside = [other.name for other in file.parent.glob("*.yml")] if file.parent.is_dir() else []
        raise ScheduleError(f"{file}: no such file{did_you_mean(file.name, beside)}")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScheduleError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    if not text.strip():
        raise ScheduleError(f"{file}: is empty; a schedule starts with 'version: 1'")
    return text


def _compose(text: str, file: str | None) -> Node | None:
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        place = f"{file}:{error.problem_mark.line + 1}: " if file and error.problem_mark else ""
        raise ScheduleError(f"{place}not valid YAML: {_context(error, file)}{error.problem}") from error
    except (YAMLError, RecursionError) as error:
        raise ScheduleError(f"{file + ': ' if file else ''}not valid YAML: {str(error).splitlines()[0]}") from error
    if node is None and file:
        raise ScheduleError(f"{file}: has no keys; a schedule starts with 'version: 1'")
    return node


def _context(error: MarkedYAMLError, file: str | None) -> str:
    if not error.context:
        return ""
    since = f" from line {error.context_mark.line + 1}" if file and error.context_mark else ""
    return f"{error.context}{since}, "


class _Reader:
    """Walks a tree of YAML nodes once; gathers the places of the keys and what is wrong."""

    def __init__(self, file: str | None) -> None:
        self._positions: dict[Keys, Position] = {}
        self._seen: set[int] = set()
        self._constructor = YAML(typ="safe", pure=True).constructor
        self.origin = Origin(file, self._positions)
        self.problems = Problems(self.origin)

    def read(self, node: Node | None, keys: Keys) -> Any:
        if node is None:
            return None
        self._positions.setdefault(keys, _position(node))
        # An alias is the same node again. Refusing it also ends cycles and files that grow when they are expanded.
        if id(node) in self._seen:
            self.problems.add(keys, "anchors and aliases are not used in schedules; write the value out")
            return None
        self._seen.add(id(node))
        if isinstance(node, ScalarNode):
            return self._scalar(node, keys)
        if str(node.tag) not in (f"{_TAG}map", f"{_TAG}seq"):
            self.problems.add(keys, f"the tag {str(node.tag)!r} is not used in schedules")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, keys)
        return [self.read(item, (*keys, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            inner, position = (*keys, key), _position(key_node)
            if not isinstance(key_node, ScalarNode):
                self.problems.add(keys, "a key must be text, not a list or a mapping")
            elif key in read:
                first = f", first in line {self._positions[inner].line}" if self.origin.file else ""
                self.problems.add(inner, f"is given twice{first}", position)
            else:
                self._positions[inner] = position
                read[key] = self.read(value_node, inner)
        return read

    def _scalar(self, node: ScalarNode, keys: Keys) -> Any:
        tag = str(node.tag)
        if tag == f"{_TAG}timestamp":
            return node.value
        if tag not in _SCALARS:
            self.problems.add(keys, f"the tag {tag!r} is not used in schedules")
            return None
        try:
            return self._constructor.construct_object(node)
        except ValueError as error:
            self.problems.add(keys, f"cannot be read: {error}")
            return None


def _position(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
