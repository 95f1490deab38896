"""Stages that a sibling run has finished already: copied instead of trained again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dqc_plugin.pipeline.folder import RunFolder, write_atomically
from dqc_plugin.schedule import Schedule

_SAME_HERE = ("python", "packages", "device", "threads")


def reuse_stages(folder: RunFolder, schedule: Schedule, siblings: Sequence[Path]) -> int:
    """Copy the first stages of the sibling that shares most of them, checkpoints and records; gives their number.

    A stage is shared if it and all before it, the model, the data and the seed are the same, it is finished there, and
    that run was made with the same versions on the same kind of device, so that training it again would give the same
    bytes. Only a folder in which nothing is trained yet takes stages over; the coder always runs.
    """
    if (folder.path / "checkpoints").exists():
        return 0
    shared = {sibling: _shared(folder.path, schedule.canonical(), sibling) for sibling in siblings}
    best = max(shared, key=lambda sibling: shared[sibling], default=folder.path)
    count = shared.get(best, 0)
    if count:
        _copy(folder, best, count)
    return count


def _copy(folder: RunFolder, sibling: Path, count: int) -> None:
    lines = (sibling / "records.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    folder.keep_records([record for record in map(json.loads, lines) if record["stage"] < count])
    for number in range(count):
        target = folder.end_of_stage(number)
        write_atomically(target, (sibling / target.relative_to(folder.path)).read_bytes())


def _shared(folder: Path, canonical: dict[str, Any], sibling: Path) -> int:
    theirs = _read(sibling / "schedule.json").get("schedule")
    if theirs is None or sibling.resolve() == folder.resolve() or _head(theirs) != _head(canonical):
        return 0
    here, begun = _read(folder / "environment.json"), _read(sibling / "environment.json")
    places = [begun, *begun.get("continued", [])]
    if any(here.get(key) != there.get(key) for there in places for key in _SAME_HERE):
        return 0
    count = 0
    for number, (ours, other) in enumerate(zip(canonical["stages"], theirs["stages"], strict=False)):
        if ours != other or "coder" in ours or not (sibling / "checkpoints" / f"stage-{number}-end.pt").exists():
            break
        count += 1
    return count


def _head(canonical: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in canonical.items() if key not in ("name", "stages")}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
