"""What differs between two schedules, in the notation of ``--set``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dqc_plugin.schedule.problems import Keys, show_keys

_ABSENT = object()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A line ``stages[1].sparsity: 0.9 -> 0.92`` for each value that differs between two canonical schedules."""
    before, after = dict(_leaves(old, ())), dict(_leaves(new, ()))
    keys = [*before, *(key for key in after if key not in before)]
    changed = [(key, before.get(key, _ABSENT), after.get(key, _ABSENT)) for key in keys]
    return [f"{show_keys(key)}: {_shown(was)} -> {_shown(now)}" for key, was, now in changed if not _same(was, now)]


def _leaves(value: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*keys, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*keys, index))
    else:
        yield keys, value


def _same(was: Any, now: Any) -> bool:
    return bool(was == now) and isinstance(was, bool) == isinstance(now, bool)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
