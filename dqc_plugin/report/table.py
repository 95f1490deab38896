"""A comparison as cells of text, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from dqc_plugin.report.document import Document
from dqc_plugin.report.rows import Other, Row, Spread

_FIGURES = ("n", "accuracy %", "least..most", "float %", "bytes", "ratio", "paper %", "difference")


def columns(document: Document) -> list[str]:
    """The labels' names, then those figures that some row has."""
    return [*document.axes, *_shown(document)]


def table_rows(document: Document) -> list[list[str]]:
    """One text for each column and row; ``-`` where there is no figure."""
    shown = _shown(document)
    own = [
        [*(row.labels.get(axis, "-") for axis in document.axes), *(_figures(row)[name] for name in shown)]
        for row in document.rows
    ]
    return [*own, *(_other_row(other, document.axes, shown) for other in document.others)]


def _shown(document: Document) -> list[str]:
    figures = [_figures(row) for row in document.rows]
    has_published = "paper %" if document.others else None
    return [name for name in _FIGURES if name == has_published or any(row[name] != "-" for row in figures)]


def _other_row(other: Other, axes: Sequence[str], shown: Sequence[str]) -> list[str]:
    source = f"{other.name} ({other.source})" if other.source else other.name
    figures = {"paper %": f"{other.accuracy_percent:.2f}", "bytes": f"{other.bytes:,}" if other.bytes else "-"}
    labels = [source, *("" for _ in axes[1:])] if axes else []
    return [*labels, *(figures.get(name, "-") for name in shown)]


def _figures(row: Row) -> dict[str, str]:
    missing = row.expected - len(row.runs)
    paper, difference = row.published, row.difference_percent
    return {
        "n": f"{len(row.runs)} of {row.expected}" if missing else str(row.expected),
        "accuracy %": _mean(row.accuracy),
        "least..most": _range(row.accuracy),
        "float %": _mean(row.float_accuracy),
        "bytes": f"{row.bytes.mean:,.0f}" if row.bytes else "-",
        "ratio": f"{row.ratio:.1f}x" if row.ratio else "-",
        "paper %": f"{paper.accuracy_percent:.2f}" if paper else "-",
        "difference": f"{difference:+.2f}" if difference is not None else "-",
    }


def _mean(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.mean:.2f}" + (f" ± {spread.deviation:.2f}" if spread.deviation is not None else "")


def _range(spread: Spread | None) -> str:
    if spread is None or spread.deviation is None:
        return "-"
    return f"{spread.least:.2f}..{spread.most:.2f}"
