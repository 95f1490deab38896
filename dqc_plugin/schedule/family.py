"""A family: the schedules that one file with a ``matrix`` makes, and what is published of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.labels import with_labels
from dqc_plugin.schedule.load import read_source
from dqc_plugin.schedule.matrix import expand, read_axes
from dqc_plugin.schedule.merge import Data
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.problems import Origin, Problems
from dqc_plugin.schedule.read import read_schedule
from dqc_plugin.schedule.reference import Entry, Other, Reference, find_reference, read_others, read_references

SEED = "seed"


@dataclass(frozen=True)
class Cell:
    """One combination of choices. labels: ``{axis: choice}``. reference: what is published of it."""

    labels: Mapping[str, str]
    schedule: Schedule
    reference: Reference | None = None


@dataclass(frozen=True)
class Family:
    """axes: ``{axis: its choices}`` in the order of the file. cells: every combination, the last axis fastest.

    others: published figures of other methods.
    """

    name: str
    axes: Mapping[str, tuple[str, ...]]
    cells: tuple[Cell, ...]
    others: tuple[Other, ...] = ()


def load_family(source: Path | str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Family:
    """The checked schedules of a file (or mapping) with a ``matrix``; without one, a family of one cell.

    A cell is called ``<name>-<choice>-...``, choices of an axis ``seed`` with that word before: ``-seed0``. A
    ``checkpoint``, a teacher's too, may name the choices of its cell: ``nets/{network}-seed{seed}.safetensors``; such a
    file need not be there before the cell is run.
    overrides: as of :func:`load_schedule`, put in before the matrix; ``matrix.seed.seed=[0]`` makes an axis shorter.
    Raises ScheduleError with everything that is wrong in any cell, each thing once.
    """
    data, origin = read_source(source, overrides)
    if not isinstance(data, dict):
        read_schedule(data, origin)
    problems = Problems(origin)
    axes = read_axes(data.pop("matrix"), problems) if "matrix" in data else []
    entries = read_references(data.pop("reference", []), axes, problems)
    others = read_others(data.pop("others", []), problems)
    problems.raise_if_any()
    expanded = list(expand(data, origin, axes, problems))
    problems.raise_if_any()
    cells = _read_cells(expanded, entries)
    return Family(str(data["name"]), {axis.name: tuple(c.label for c in axis.choices) for axis in axes}, cells, others)


def _read_cells(expanded: list[tuple[dict[str, str], Data, Origin]], entries: list[Entry]) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    wrong: dict[str, None] = {}
    for labels, data, origin in expanded:
        if isinstance(data.get("name"), str):
            data["name"] = _cell_name(data["name"], labels)
        try:
            schedule = with_labels(read_schedule(data, origin), labels)
            cells.append(Cell(labels, schedule, find_reference(labels, entries)))
        except ScheduleError as error:
            wrong.update(dict.fromkeys(str(error).splitlines()))
    if wrong:
        raise ScheduleError("\n".join(wrong))
    _require_different_names(cells)
    return tuple(cells)


def _cell_name(name: str, labels: Mapping[str, str]) -> str:
    return "-".join([name, *(f"seed{label}" if axis == SEED else label for axis, label in labels.items())])


def _require_different_names(cells: Sequence[Cell]) -> None:
    names = [cell.schedule.name for cell in cells]
    for name in names:
        if names.count(name) > 1:
            raise ScheduleError(f"matrix: two cells would be called {name}; choose labels that join differently")
