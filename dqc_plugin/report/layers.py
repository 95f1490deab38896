"""Layer by layer, the columns of Deep Compression's tables (Han et al. 2016, tables 2 to 5)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dqc_plugin.artifact import inspect
from dqc_plugin.artifact.report import Sizes
from dqc_plugin.errors import RunError
from dqc_plugin.report.document import Document
from dqc_plugin.report.rows import Row

COLUMNS = (
    "weights", "kept %", "weight bits P+Q", "weight bits H", "index bits P+Q", "index bits H", "rate % P+Q",
    "rate % H",
)  # fmt: skip
_TOTAL = "total"


def layer_columns(document: Document) -> list[str]:
    return ["layer", *document.axes, *COLUMNS]


def layer_rows(document: Document) -> list[list[str]]:
    """A line for each layer and row of the document, means over its runs, after what is published of it.

    Bits are per kept weight (or filler zero). Raises RunError where no run has a compressed file.
    """
    rows = {id(row): _figures(row) for row in document.rows if any(run.file for run in row.runs)}
    if not rows:
        raise RunError("no layers to show: no finished run has a compressed file")
    layers = list(dict.fromkeys(layer for figures in rows.values() for layer in figures))
    return [line for layer in layers for row in document.rows for line in _lines(document, row, layer, rows)]


def _lines(
    document: Document, row: Row, layer: str, rows: Mapping[int, Mapping[str, Sequence[float]]]
) -> Iterator[list[str]]:
    labels = [row.labels.get(axis, "-") for axis in document.axes]
    published = row.published.layers.get(layer) if row.published else None
    if published:
        yield [layer, *labels[:-1], f"{labels[-1]}, published", "-", *_texts(_published(published))]
    if layer in rows.get(id(row), {}):
        weights, *figures = rows[id(row)][layer]
        yield [layer, *labels, f"{weights:,.0f}", *_texts(figures)]


def _texts(figures: Sequence[float]) -> list[str]:
    return [f"{value:.2f}" if place >= 5 else f"{value:.1f}" for place, value in enumerate(figures)]


def _published(layer: Mapping[str, Any]) -> list[float]:
    return [layer["kept_percent"], *layer["weight_bits"], *layer["index_bits"], *layer["rate_percent"]]


def _figures(row: Row) -> dict[str, list[float]]:
    """The figures of each layer, means over the runs."""
    runs = [_of_file(run.file) for run in row.runs if run.file]
    return {
        layer: [statistics.fmean(values) for values in zip(*(run[layer] for run in runs), strict=True)]
        for layer in runs[0]
    }


def _of_file(file: Any) -> dict[str, list[float]]:
    report = inspect(file)
    sizes = {row.name.removesuffix(".weight"): row.sizes for row in report.layers}
    return {name: _of_sizes(size) for name, size in {**sizes, _TOTAL: report.total}.items()}


def _of_sizes(sizes: Sizes) -> list[float]:
    return [
        sizes.weights,
        100 * sizes.kept_share,
        sizes.index_bits_quantized,
        sizes.index_bits_coded,
        sizes.position_bits_quantized,
        sizes.position_bits_coded,
        100 * sizes.rate_quantized,
        100 * sizes.rate_coded,
    ]
