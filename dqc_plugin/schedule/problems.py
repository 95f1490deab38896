"""Everything that is wrong with a schedule, gathered and told at once, a line each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dqc_plugin.errors import ScheduleError

Key = str | int
Keys = tuple[Key, ...]


class Position(NamedTuple):
    """Place of a key in a file, both counted from 1; file: where it is not the schedule's own but an included one."""

    line: int
    column: int
    file: str | None = None


@dataclass(frozen=True)
class Origin:
    """Where the keys of a schedule come from: a file with positions, ``--set`` overrides, or neither (a mapping).

    root: the keys of the part of the schedule that this is the origin of; () for the whole.
    Two origins are always equal: schedules are compared by what they say, not by where it stands.
    """

    file: str | None = field(default=None, compare=False)
    positions: Mapping[Keys, Position] = field(default_factory=dict, compare=False)
    overrides: Mapping[Keys, str] = field(default_factory=dict, compare=False)
    root: Keys = field(default=(), compare=False)

    def with_override(self, keys: Keys, text: str) -> Origin:
        """The origin after ``--set text`` has replaced or added what stands at these keys."""
        positions = {at: place for at, place in self.positions.items() if at[: len(keys)] != keys}
        overrides = {at: given for at, given in self.overrides.items() if at[: len(keys)] != keys}
        return replace(self, positions=positions, overrides={**overrides, keys: text})

    def with_moved(self, source: Keys, outermost: Keys, target: Keys) -> Origin:
        """The origin after what stands at ``source`` was put at ``target`` too; ``outermost`` is new or replaced."""
        size = len(source)
        given = self.place_keys(source)
        moved = {(*target, *at[size:]): place for at, place in self.positions.items() if at[:size] == source}
        above = [target[:length] for length in range(len(outermost), len(target) + 1)]
        positions = {at: place for at, place in self.positions.items() if at[: len(outermost)] != outermost}
        overrides = {at: text for at, text in self.overrides.items() if at[: len(outermost)] != outermost}
        if given in self.overrides:
            return replace(self, positions=positions, overrides={**overrides, outermost: self.overrides[given]})
        around = dict.fromkeys(above, self.positions[given]) if given in self.positions else {}
        return replace(self, positions={**positions, **around, **moved}, overrides=overrides)

    def under(self, root: Keys) -> Origin:
        """The origin of the part of the schedule at these keys."""
        return replace(self, root=root)

    def place(self, keys: Keys) -> Place:
        """Where these keys, or the nearest ones around them, were given."""
        at = self.place_keys(keys)
        if at in self.overrides:
            return Place((1, list(self.overrides).index(at), 0), f"--set {self.overrides[at]}: ")
        return self.in_file(self.positions[at]) if at in self.positions else Place((0, 0, 0), "")

    def place_keys(self, keys: Keys) -> Keys:
        """These keys, or the nearest ones around them whose place is known."""
        around = (keys[:length] for length in range(len(keys), 0, -1))
        return next((at for at in around if at in self.overrides or at in self.positions), ())

    def in_file(self, position: Position) -> Place:
        """The place of a position in this origin's file, or in the one that the position names."""
        file = position.file or self.file
        order = (0 if position.file is None else -1, position.line, position.column)
        return Place(order, f"{file}:{position.line}: " if file else "")


class Place(NamedTuple):
    """How one place sorts (included files, the file, the overrides in their order) and how it is written."""

    order: tuple[int, int, int]
    label: str


class Problems:
    """Gathers the problems of one schedule."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._found: dict[str, tuple[int, int, int]] = {}

    def add(self, keys: Keys, text: str, position: Position | None = None) -> None:
        """One problem at these keys; ``position`` where they stand at another place than the origin says."""
        place = self.origin.in_file(position) if position else self.origin.place(keys)
        path = show_keys(keys)
        self._found.setdefault(f"{place.label}{path}{': ' if path else ''}{text}", place.order)

    def is_overridden(self, keys: Keys) -> bool:
        """True if ``--set`` gives what stands at these keys, or something in it or around it."""
        return any(at[: len(keys)] == keys[: len(at)] for at in self.origin.overrides)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self) -> None:
        """ScheduleError with all problems, a line each, in the order of the file."""
        if self._found:
            raise ScheduleError("\n".join(sorted(self._found, key=self._found.__getitem__)))


def show_keys(keys: Keys) -> str:
    """``stages[1].layers["re:conv.*"].bits``; ``--set`` reads the same notation."""
    shown = "".join(_show_key(key) for key in keys)
    return shown.removeprefix(".")


def _show_key(key: Key) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if re.fullmatch(r"[A-Za-z_][\w-]*", key) else f"[{json.dumps(key, ensure_ascii=False)}]"
