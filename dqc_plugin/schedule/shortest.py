"""A schedule as a person would write it: without the keys that say what holds anyway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.load import load_schedule
from dqc_plugin.schedule.model import Schedule


def shortest(schedule: Schedule) -> dict[str, Any]:
    """The keys that are needed to load the same schedule, in the order of ``canonical``; a layer's rule keeps one."""
    data = schedule.canonical()

    def same() -> bool:
        try:
            return load_schedule(data).canonical() == schedule.canonical()
        except ScheduleError:
            return False

    _drop(data, same)
    return data


def _drop(node: dict[str, Any], same: Callable[[], bool]) -> None:
    for key, value in reversed(list(node.items())):
        before = dict(node)
        del node[key]
        if node and same():
            continue
        node.clear()
        node.update(before)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                _drop(inner, same)
