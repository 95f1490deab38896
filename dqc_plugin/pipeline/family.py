"""A family of schedules, run one after another, each in a folder of its own; the same call again resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from pathlib import Path

from dqc_plugin.errors import RunError, ScheduleError
from dqc_plugin.pipeline.folder import FolderInUse
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.pipeline.runner import run
from dqc_plugin.schedule import Cell, Family, Schedule, build_model, resolve


def run_family(
    family: Family,
    out: Path,
    reporter: Reporter | None = None,
    begin: Callable[[int, Cell], None] | None = None,
    known: Container[str] = (),
) -> list[str]:
    """Run every cell that is not finished into ``out/<cell name>``; stages that cells share are trained once.

    Stages of families beside ``out`` are taken over too.

    begin: told the number (from 0) of each cell that is run. A cell that fails does not stop the others; one that
    another process is running is left to it, so that several processes share the work.
    known: digests of schedules that were run elsewhere.
    Gives what went wrong, a text for each cause with the cells that it stopped. Raises ScheduleError, before anything
    runs, for settings that do not fit the network.
    """
    _check_layers(family)
    folders = [cell_folder(out, cell) for cell in family.cells]
    beside = [kept.parent for kept in sorted(out.parent.glob("*/*/schedule.json")) if kept.parent.parent != out]
    failed: dict[str, list[str]] = {}
    for number, (cell, folder) in enumerate(zip(family.cells, folders, strict=True)):
        if cell.schedule.digest() in known or is_finished(folder, cell.schedule):
            continue
        if begin:
            begin(number, cell)
        try:
            run(cell.schedule, folder, reporter=reporter, siblings=[*folders, *beside])
        except FolderInUse:
            continue
        except RunError as error:
            failed.setdefault(str(error), []).append(cell.schedule.name)
    return [f"{_first_of(cells)}: {cause}" for cause, cells in failed.items()]


def cell_folder(out: Path, cell: Cell) -> Path:
    """The run folder of a cell."""
    return out / cell.schedule.name


def is_finished(folder: Path, schedule: Schedule) -> bool:
    """True if the folder holds this very schedule, run to its end."""
    kept = folder / "schedule.json"
    last = folder / "checkpoints" / f"stage-{len(schedule.stages) - 1}-end.pt"
    if not kept.exists() or not last.exists():
        return False
    try:
        return bool(json.loads(kept.read_text(encoding="utf-8"))["digest"] == schedule.digest())
    except (ValueError, KeyError):
        return False


def _first_of(cells: list[str]) -> str:
    return cells[0] if len(cells) == 1 else f"{cells[0]} and {len(cells) - 1} more"


def _check_layers(family: Family) -> None:
    wrong: dict[str, None] = {}
    for cell in family.cells:
        try:
            resolve(cell.schedule, build_model(cell.schedule))
        except ScheduleError as error:
            wrong.update(dict.fromkeys(str(error).splitlines()))
    if wrong:
        raise ScheduleError("\n".join(wrong))
