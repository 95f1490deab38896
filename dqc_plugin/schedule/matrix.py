"""``matrix:``: axes of choices, each of which puts values at key paths; one schedule for each combination.

An axis is a mapping of labels, ``zero: {without: {stages.1.zero: false}, with: {stages.1.zero: true}}``, or, where each
choice is one value of one key, that key with a list: ``bits: {stages.1.bits: [3, 4, 5]}``.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.merge import Data
from dqc_plugin.schedule.overrides import parse_path, put
from dqc_plugin.schedule.problems import Keys, Origin, Problems, show_keys
from dqc_plugin.schedule.wording import shown

_EXAMPLE = "'bits: {stages.1.bits: [3, 4, 5]}'"
_LABEL = re.compile(r"[A-Za-z0-9._-]+")
_OWN_KEYS = ("name", "matrix", "reference", "others", "include")


@dataclass(frozen=True)
class Assignment:
    """A value for a key path; source: the keys where the schedule gives it."""

    path: tuple[str, ...]
    value: Any
    source: Keys


@dataclass(frozen=True)
class Choice:
    label: str
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True)
class Axis:
    name: str
    choices: tuple[Choice, ...]


def read_axes(data: Any, problems: Problems) -> list[Axis]:
    """The axes of ``matrix``; problems are added."""
    keys: Keys = ("matrix",)
    if not isinstance(data, dict) or not data:
        given = "an empty mapping" if data == {} else shown(data)
        problems.add(keys, f"must be a mapping of axes, such as {_EXAMPLE}, not {given}")
        return []
    return [Axis(name, tuple(_read_choices(body, (*keys, name), problems))) for name, body in data.items()]


def label_of(value: Any) -> str | None:
    """A plain value as it stands in YAML, the label of a choice; None if it cannot be one."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) and _LABEL.fullmatch(str(value)) else None


def expand(
    data: Data, origin: Origin, axes: Sequence[Axis], problems: Problems
) -> Iterator[tuple[dict[str, str], Data, Origin]]:
    """For each combination of choices: its labels, and the data and origin of its schedule."""
    for combination in itertools.product(*(axis.choices for axis in axes)):
        labels = {axis.name: choice.label for axis, choice in zip(axes, combination, strict=True)}
        cell, place = copy.deepcopy(data), origin
        given = {keys: f"--set {text}" for keys, text in origin.overrides.items()}
        for assignment in itertools.chain.from_iterable(choice.assignments for choice in combination):
            place = _assign(cell, place, assignment, given, problems)
        yield labels, cell, place


def _read_choices(body: Any, keys: Keys, problems: Problems) -> Iterator[Choice]:
    if not isinstance(body, dict) or not body:
        problems.add(keys, f"must be a mapping of choices, or one key with a list such as {_EXAMPLE}")
    elif any(isinstance(choice, list) for choice in body.values()):
        yield from _read_list(body, keys, problems)
    else:
        for label, choice in body.items():
            yield from _read_choice(label, choice, (*keys, label), problems)


def _read_list(body: Data, keys: Keys, problems: Problems) -> Iterator[Choice]:
    if len(body) != 1:
        problems.add(keys, f"has a list beside other keys; give one key with a list, such as {_EXAMPLE}, or labels")
        return
    [(path, values)] = body.items()
    if not values:
        problems.add((*keys, path), "must have at least 1 entry")
    labels = [label_of(value) for value in values]
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        source: Keys = (*keys, path, index)
        if label is None:
            problems.add(source, f"{shown(value)} makes no label; write this axis as 'label: {{{path}: value}}'")
        elif label in labels[:index]:
            problems.add(source, f"{label} is given twice")
        else:
            yield Choice(label, tuple(_read_assignment(path, value, source, problems)))


def _read_choice(label: str, choice: Any, keys: Keys, problems: Problems) -> Iterator[Choice]:
    if not _LABEL.fullmatch(label):
        problems.add(keys, "a label must be letters, digits, '.', '_' and '-', since it names files")
    elif not isinstance(choice, dict):
        problems.add(keys, f"must be a mapping of key paths to values ({{}} changes nothing), not {shown(choice)}")
    else:
        pairs = choice.items()
        found = [part for path, value in pairs for part in _read_assignment(path, value, (*keys, path), problems)]
        yield Choice(label, tuple(found))


def _read_assignment(path: str, value: Any, source: Keys, problems: Problems) -> Iterator[Assignment]:
    try:
        parsed = tuple(parse_path(path))
    except ScheduleError as error:
        problems.add(source, str(error))
        return
    if parsed[0] in _OWN_KEYS:
        problems.add(source, f"a matrix cannot set {parsed[0]!r}")
    else:
        yield Assignment(parsed, value, source)


def _assign(data: Data, origin: Origin, one: Assignment, given: dict[Keys, str], problems: Problems) -> Origin:
    try:
        outermost, target = put(data, list(one.path), copy.deepcopy(one.value))
    except ScheduleError as error:
        problems.add(one.source, str(error))
        return origin
    lost = next((what for keys, what in given.items() if keys[: len(target)] == target), None)
    if lost:
        problems.add(one.source, f"would undo what {lost} gives to {show_keys(target)}; change one of them")
    given[target] = show_keys(one.source[:2])
    return origin.with_moved(one.source, outermost, target)
