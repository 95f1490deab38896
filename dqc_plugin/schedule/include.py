"""``include: base.yml``: a schedule that says only what differs from another file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dqc_plugin.schedule.document import read_document
from dqc_plugin.schedule.merge import Data, changes_name
from dqc_plugin.schedule.problems import Keys, Origin, Problems
from dqc_plugin.schedule.wording import shown

_KEY = "include"


def read_with_includes(file: Path, including: tuple[Path, ...] = ()) -> tuple[Any, Origin]:
    """The file's data over that of the file it includes; mappings key by key, anything else replaced.

    A mapping that names another kind (``optimizer: {name: adam}`` over sgd) replaces too, as a stage's does.
    including: the files that led here. Raises ScheduleError as :func:`read_document` does, for a file that is not
    there or holds no mapping, and for files that include each other.
    """
    data, origin = read_document(file)
    if not isinstance(data, dict) or _KEY not in data:
        return data, origin
    problems = Problems(origin)
    name = data.pop(_KEY)
    below = _included(file, name, (*including, file), problems)
    problems.raise_if_any()
    base, base_origin = read_with_includes(below, (*including, file))
    if not isinstance(base, dict):
        problems.add((_KEY,), f"{name} is {shown(base)}, not a mapping of keys such as 'version: 1'")
    problems.raise_if_any()
    replaced: list[Keys] = []
    merged = _over(base, data, (), replaced)
    return merged, _merged_origin(base_origin, origin, replaced)


def _included(file: Path, name: Any, including: tuple[Path, ...], problems: Problems) -> Path:
    if not isinstance(name, str) or not name:
        problems.add((_KEY,), f"must be the name of a file, such as base.yml, not {shown(name)}")
        return file
    below = file.parent / name
    if below.resolve() in [outer.resolve() for outer in including]:
        problems.add((_KEY,), f"files include each other: {' -> '.join(map(str, (*including, below)))}")
    elif not below.is_file():
        problems.add((_KEY,), f"no such file: {name} (paths start beside the file that includes)")
    return below


def _over(base: Data, top: Data, keys: Keys, replaced: list[Keys]) -> Data:
    merged = dict(base)
    for key, value in top.items():
        below, inside = base.get(key), (*keys, key)
        if isinstance(below, dict) and isinstance(value, dict) and not changes_name(key, below, value):
            merged[key] = _over(below, value, inside, replaced)
        else:
            merged[key] = value
            replaced.append(inside)
    return merged


def _merged_origin(base: Origin, top: Origin, replaced: list[Keys]) -> Origin:
    kept = {
        keys: position._replace(file=position.file or base.file)
        for keys, position in base.positions.items()
        if not any(keys[: len(gone)] == gone for gone in replaced)
    }
    return replace(top, positions={**kept, **top.positions})
