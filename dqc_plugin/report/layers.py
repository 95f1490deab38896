"""Layer by layer, the columns of Deep Compression's tables (Han et al. 2016, tables 2 to 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dqc_plugin.report.document import Document
from dqc_plugin.report.layer_figures import Figures, mean_figures
from dqc_plugin.report.rows import Row

COLUMNS = (
    "weights", "kept %", "weight bits P+Q", "weight bits H", "index bits P+Q", "index bits H", "rate % P+Q",
    "rate % H",
)  # fmt: skip


def layer_columns(document: Document) -> list[str]:
    return ["layer", *document.axes, *COLUMNS]


def layer_rows(document: Document, files: Mapping[int, Figures]) -> list[list[str]]:
    """A line for each layer and row of the document, means over its runs, after what is published of it.

    Bits are per kept weight (or filler zero). files: the figures of each run that has a file, by its ``id``.
    """
    found = [[files[id(run)] for run in row.runs if id(run) in files] for row in document.rows]
    means = [mean_figures(figures) if figures else {} for figures in found]
    layers = dict.fromkeys(layer for figures in means for layer in figures)
    rows = list(zip(document.rows, means, strict=True))
    return [line for layer in layers for row, figures in rows for line in _lines(document, row, layer, figures)]


def _lines(document: Document, row: Row, layer: str, figures: Figures) -> Iterator[list[str]]:
    labels = [row.labels.get(axis, "-") for axis in document.axes]
    published = row.published.layers.get(layer) if row.published else None
    if published:
        yield [layer, *labels[:-1], f"{labels[-1]}, published", "-", *_texts(_published(published))]
    if layer in figures:
        weights, *others = figures[layer]
        yield [layer, *labels, f"{weights:,.0f}", *_texts(others)]


def _texts(figures: Sequence[float]) -> list[str]:
    return [f"{value:.2f}" if place >= 5 else f"{value:.1f}" for place, value in enumerate(figures)]


def _published(layer: Mapping[str, Any]) -> list[float]:
    return [layer["kept_percent"], *layer["weight_bits"], *layer["index_bits"], *layer["rate_percent"]]
