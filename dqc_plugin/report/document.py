"""A comparison with everything that its reader needs to judge and to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dqc_plugin.report.known import as_record
from dqc_plugin.report.rows import Other, Row, Spread


@dataclass(frozen=True)
class Document:
    """name: of the family or the comparison. command: what makes this document again. others: other methods."""

    name: str
    command: str
    rows: tuple[Row, ...]
    others: tuple[Other, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """The labels of the rows, in their order."""
        return tuple(dict.fromkeys(axis for row in self.rows for axis in row.labels))

    @property
    def facts(self) -> dict[str, list[Any]]:
        """Seeds, epochs of the stages, what accuracy was measured on, dates, versions and machines of all runs."""
        runs = [run for row in self.rows for run in row.runs]
        begun = [run.environment for run in runs if run.environment]
        places = [place for first in begun for place in (first, *first.get("continued", ()))]
        return {
            "seeds": _unique(run.seed for run in runs),
            "epochs": _unique(list(run.epochs) for run in runs),
            "measured_on": _unique(run.measured_on for run in runs),
            "dates": sorted(_unique(place["date"] for place in places)),
            "machines": _unique({key: place[key] for key in ("machine", "device", "threads")} for place in places),
            "versions": _unique({"python": place["python"], **place["packages"]} for place in places),
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain data: facts, rows, and each run behind them."""
        return {
            "name": self.name,
            "command": self.command,
            **self.facts,
            "rows": [_row_dict(row) for row in self.rows],
            "others": [asdict(other) for other in self.others],
        }


def make_document(name: str, command: str, rows: Sequence[Row], others: Sequence[Other] = ()) -> Document:
    return Document(name, command, tuple(rows), tuple(others))


def _row_dict(row: Row) -> dict[str, Any]:
    return {
        "labels": dict(row.labels),
        "n": len(row.runs),
        "expected": row.expected,
        "accuracy_percent": _spread_dict(row.accuracy),
        "float_accuracy_percent": _spread_dict(row.float_accuracy),
        "bytes": _spread_dict(row.bytes),
        "ratio": _rounded(row.ratio),
        "published": asdict(row.published) if row.published else None,
        "difference_percent": _rounded(row.difference_percent),
        "runs": [as_record(run) for run in row.runs],
    }


def _spread_dict(spread: Spread | None) -> dict[str, float | None] | None:
    return {key: _rounded(value) for key, value in asdict(spread).items()} if spread else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _unique(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
