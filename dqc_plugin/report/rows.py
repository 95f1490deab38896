"""Runs that differ only in the seed, as one row: mean and spread."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dqc_plugin.report.runs import Run

SEED = "seed"


@dataclass(frozen=True)
class Spread:
    """mean, least and most of some values; deviation: with n - 1, None for a single value."""

    mean: float
    deviation: float | None
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, min(values), max(values))


@dataclass(frozen=True)
class Published:
    """What others published of a row: accuracy 0 to 100; bytes and source where known; figures of layers by name."""

    accuracy_percent: float
    bytes: int | None = None
    source: str | None = None
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Other(Published):
    """What others published of another method."""

    name: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a comparison.

    labels: without the seed. runs: those that are finished, of ``expected``. Figures are None where no run has them.
    difference_percent: mean accuracy less the published one, in percentage points.
    """

    labels: Mapping[str, str]
    runs: tuple[Run, ...]
    expected: int
    accuracy: Spread | None
    float_accuracy: Spread | None
    bytes: Spread | None
    ratio: float | None
    published: Published | None

    @property
    def difference_percent(self) -> float | None:
        if self.accuracy is None or self.published is None:
            return None
        return self.accuracy.mean - self.published.accuracy_percent


Cell = tuple[Mapping[str, str], Run | None, Published | None]


def make_rows(cells: Sequence[Cell]) -> list[Row]:
    """A row for each combination of labels but the seed, in the order in which they first come.

    cells: labels, the run (None where it is missing), what is published.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in cells:
        key = tuple((axis, label) for axis, label in cell[0].items() if axis != SEED)
        groups.setdefault(key, []).append(cell)
    return [_row(dict(key), group) for key, group in groups.items()]


def _row(labels: dict[str, str], cells: Sequence[Cell]) -> Row:
    runs = tuple(run for _, run, _ in cells if run is not None)
    ratios = [run.ratio for run in runs if run.ratio is not None]
    return Row(
        labels=labels,
        runs=runs,
        expected=len(cells),
        accuracy=_spread([run.accuracy_percent for run in runs]),
        float_accuracy=_spread([run.float_percent for run in runs]),
        bytes=_spread([run.bytes for run in runs]),
        ratio=statistics.fmean(ratios) if ratios else None,
        published=cells[0][2],
    )


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None
