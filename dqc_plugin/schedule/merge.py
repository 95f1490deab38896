"""One mapping over another: a stage over the defaults of ``train``, a layer over its stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dqc_plugin.schedule.problems import Key, Keys
from dqc_plugin.schedule.settings import CHOICES, choice_name

Data = dict[str, Any]


def overlay(base: Data, top: Data) -> Data:
    """``top`` over ``base``, mappings key by key unless the top one names another kind (``{name: adam}`` over sgd)."""
    return {**base, **{key: _overlaid(key, base.get(key), value) for key, value in top.items()}}


def locator(base: tuple[Keys, Data], top: tuple[Keys, Data]) -> Callable[[Keys], Keys]:
    """For keys in ``overlay(base, top)``: the keys in the schedule that gave this value, the top's if neither did."""

    def locate(keys: Keys) -> Keys:
        from_base = depth(base[1], keys) > depth(top[1], keys)
        return (*(base if from_base else top)[0], *keys)

    return locate


def depth(data: Any, keys: Keys) -> int:
    """How many of the keys lead somewhere."""
    for reached, key in enumerate(keys):
        if not _has(data, key):
            return reached
        data = data[key]
    return len(keys)


def _overlaid(key: str, below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict) or changes_name(key, below, above):
        return above
    return {**below, **above}


def changes_name(key: str, below: Data, above: Data) -> bool:
    """True if ``above`` is of another kind than ``below``, so that their keys do not mix."""
    default = choice_name(CHOICES[key][0]) if key in CHOICES else None
    return "name" in above and above["name"] != below.get("name", default)


def _has(data: Any, key: Key) -> bool:
    if isinstance(data, list):
        return isinstance(key, int) and key < len(data)
    return isinstance(data, dict) and key in data
