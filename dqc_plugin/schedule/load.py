"""A schedule from a file or a mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dqc_plugin.schedule.document import plain, read_document
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.overrides import apply_overrides
from dqc_plugin.schedule.problems import Origin
from dqc_plugin.schedule.read import read_schedule


def load_schedule(source: Path | str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Schedule:
    """The checked, frozen schedule of a YAML file or of a mapping with the same keys.

    overrides: ``"stages.1.sparsity=0.9"`` and the like, put in before the check.
    Raises ScheduleError with everything that is wrong, a line each, by file and line (or ``--set``, or, for a mapping,
    the keys alone). What depends on the network's layers is checked by :func:`dqc_plugin.schedule.resolve`.
    """
    data, origin = (plain(source), Origin()) if isinstance(source, Mapping) else read_document(Path(source))
    return read_schedule(*apply_overrides(data, origin, overrides))
