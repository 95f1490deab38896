"""``--set stages.1.sparsity=0.9``: values given beside the file, put into its data before that is checked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.document import parse_value
from dqc_plugin.schedule.problems import Key, Keys, Origin, show_keys

_TOKEN = re.compile(r"""\.?(?:\[(?P<index>\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|(?P<plain>[^.\[\]=]+))""")
# A bare name stands for {name: ...}, so these may be looked into even where the file gives just the name.
_NAMED = (("model",), ("data",))


def apply_overrides(data: Any, origin: Origin, overrides: Sequence[str]) -> tuple[Any, Origin]:
    """The data with every ``key.path=value`` put in, later ones last; values are YAML.

    A path is written as in the messages, ``stages[1].layers["re:conv.*"].bits``, or with dots, ``stages.1.bits``.
    The data is changed in place. Raises ScheduleError for all overrides that cannot be applied.
    """
    wrong: list[str] = []
    for text in overrides:
        try:
            path, value = _parse(text)
            outermost, _ = put(data, path, value)
            origin = origin.with_override(outermost, text)
        except ScheduleError as error:
            wrong.append(f"--set {text}: {error}")
    if wrong:
        raise ScheduleError("\n".join(wrong))
    return data, origin


def parse_path(text: str) -> list[str]:
    """The keys of a path such as ``stages.1.sparsity``; ScheduleError if it is none."""
    path, rest = _tokens(text)
    if not path or rest:
        raise ScheduleError("is not a path of keys, such as stages.1.sparsity")
    return path


def _parse(text: str) -> tuple[list[str], Any]:
    path, rest = _tokens(text)
    if not path or rest[:1] != "=":
        raise ScheduleError("is not of the form key.path=value, such as stages.1.sparsity=0.9")
    return path, parse_value(rest[1:])


def _tokens(text: str) -> tuple[list[str], str]:
    path: list[str] = []
    at = 0
    while match := _TOKEN.match(text, at):
        path.append(json.loads(match["quoted"]) if match["quoted"] else match["index"] or match["plain"].strip())
        at = match.end()
    return path, text[at:]


def put(data: Any, path: list[str], value: Any) -> tuple[Keys, Keys]:
    """Sets the value; gives the keys of the outermost thing that is new or replaced, and those of the value.

    Raises ScheduleError for a path that leads nowhere.
    """
    keys: Keys = ()
    new_from: Keys | None = None
    for name in path[:-1]:
        key = _key(data, name, keys)
        inside = (*keys, key)
        if isinstance(data, dict) and key not in data:
            new_from = new_from or inside
            data[key] = {}
        elif inside in _NAMED and isinstance(data[key], str):
            data[key] = {"name": data[key]}
        data, keys = data[key], inside
    last = _key(data, path[-1], keys)
    data[last] = value
    return new_from or (*keys, last), (*keys, last)


def _key(container: Any, name: str, keys: Keys) -> Key:
    if isinstance(container, dict):
        return name
    where = show_keys(keys) or "the schedule"
    if not isinstance(container, list):
        raise ScheduleError(f"{where} is not a mapping or a list, so it has no {name!r}")
    if not name.isdecimal() or int(name) >= len(container):
        raise ScheduleError(f"{where} has the numbers 0 to {len(container) - 1}, not {name!r}")
    return int(name)
