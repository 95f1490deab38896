"""A schedule from a file or a mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dqc_plugin.schedule.document import plain
from dqc_plugin.schedule.include import read_with_includes
from dqc_plugin.schedule.labels import with_labels
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.overrides import apply_overrides
from dqc_plugin.schedule.problems import Origin, Problems
from dqc_plugin.schedule.read import read_schedule


def load_schedule(source: Path | str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Schedule:
    """The checked, frozen schedule of a YAML file or of a mapping with the same keys.

    overrides: ``"stages.1.sparsity=0.9"`` and the like, put in before the check.
    Raises ScheduleError with everything that is wrong, a line each, by file and line (or ``--set``, or, for a mapping,
    the keys alone). What depends on the network's layers is checked by :func:`dqc_plugin.schedule.resolve`.
    """
    data, origin = read_source(source, overrides)
    if isinstance(data, dict) and "matrix" in data:
        problems = Problems(origin)
        problems.add(("matrix",), "makes this a family of schedules: run it with dqc compare (in Python: load_family)")
        problems.raise_if_any()
    return with_labels(read_schedule(data, origin), {})


def read_source(source: Path | str | Mapping[str, Any], overrides: Sequence[str]) -> tuple[Any, Origin]:
    """The data of a file, with the files that it includes, or of a mapping; with the overrides, not yet checked."""
    data, origin = (plain(source), Origin()) if isinstance(source, Mapping) else read_with_includes(Path(source))
    return apply_overrides(data, origin, overrides)
