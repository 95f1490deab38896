"""Accuracy against file size, as a figure for a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqc_plugin.errors import ConfigError, RunError
from dqc_plugin.report.document import Document
from dqc_plugin.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
_MOST_SERIES = 6
_LEAST_SPAN = 1.01
_LINEAR_SPAN = 1.8
_INCHES_OF_A_LETTER, _INCHES_OF_A_MARKER = 0.065, 0.55  # of the legend, at font size 9
STYLE = {"svg.hashsalt": "dqc", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def require_matplotlib() -> None:
    """ConfigError if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigError("plots need matplotlib: pip install 'dqc-plugin[plot]'") from None


def write_plot(document: Document, path: Path) -> list[Path]:
    """The figure as PNG and SVG, under the path's name with these endings; the two paths.

    Points are means, bars the standard deviation over seeds and the range of sizes; a star is the published accuracy.
    A line joins the rows that differ only in the axis of numbers (bits); many lines get a panel for each choice of the
    first axis. Raises ConfigError without matplotlib, RunError where no row has a file.
    """
    require_matplotlib()
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = draw(document)
        return [save_figure(figure, path, ending) for ending in (".png", ".svg")]


def draw(document: Document) -> Figure:
    """The figure that :func:`write_plot` writes."""
    from matplotlib.figure import Figure

    rows = [row for row in document.rows if row.bytes is not None and row.accuracy is not None]
    if not rows:
        raise RunError("nothing to plot: no finished run has a compressed file")
    panels = _panels(document, rows)
    styles = _styles(panels.values())
    figure = Figure(figsize=(max(6.0, 3.8 * len(panels)), 4.2), layout="constrained")
    areas = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, series) in zip(areas, panels.items(), strict=True):
        _draw_panel(axes, title, series, styles)
        _draw_others(axes, document)
        label_sizes(axes)
    areas[0].set_ylabel("accuracy, %")
    _draw_legend(figure)
    return figure


def _draw_legend(figure: Figure) -> None:
    """One for all panels, below them."""
    named = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = {label: handle for pair in named for handle, label in zip(*pair, strict=True)}
    columns = _legend_columns(handles, figure.get_figwidth())
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, frameon=False)


def _legend_columns(labels: Iterable[str], inches: float) -> int:
    """As many as the longest label lets stand side by side."""
    longest = max(map(len, labels))
    return max(1, int(inches / (_INCHES_OF_A_MARKER + _INCHES_OF_A_LETTER * longest)))


Series = dict[str, list[tuple[str, Row]]]


def _panels(document: Document, rows: list[Row]) -> dict[str, Series]:
    """Panel title -> name of a line -> its rows, each with its own short label."""
    along = _number_axis(document)
    others = [axis for axis in document.axes if axis != along]
    lines = {tuple(row.labels.get(axis, "") for axis in others) for row in rows}
    split = others[0] if len(lines) > _MOST_SERIES and len(others) > 1 else None
    panels: dict[str, Series] = {}
    for row in rows:
        by = f", by {along}" if along else ""
        title = f"{split}: {row.labels[split]}{by}" if split else f"{document.name}{by}"
        name = ", ".join(_worded(axis, row.labels[axis]) for axis in others if axis != split and axis in row.labels)
        label = row.labels.get(along, "") if along else ""
        panels.setdefault(title, {}).setdefault(name or document.name, []).append((label, row))
    return panels


def _styles(panels: Iterable[Series]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each line, the same in all panels, also where one lacks lines that another has."""
    names = dict.fromkeys(name for series in panels for name in series)
    return {name: (COLOURS[n % len(COLOURS)], MARKERS[n % len(MARKERS)]) for n, name in enumerate(names)}


def _number_axis(document: Document) -> str | None:
    """The axis with most choices among those with numbers only."""
    choices = {axis: {row.labels.get(axis, "") for row in document.rows} for axis in document.axes}
    numbers = [axis for axis, labels in choices.items() if len(labels) > 1 and all(map(_is_number, labels))]
    return max(numbers, key=lambda axis: len(choices[axis]), default=None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _worded(axis: str, label: str) -> str:
    return f"{axis} {label}" if _is_number(label) or label in ("true", "false") else label


def _draw_panel(axes: Axes, title: str, series: Series, styles: Mapping[str, tuple[str, str]]) -> None:
    axes.set_title(title, loc="left")
    axes.set_xscale("log")
    for name, points in series.items():
        _draw_line(axes, name, points, *styles[name])
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.12)


def _draw_others(axes: Axes, document: Document) -> None:
    placed = [(other.bytes, other) for other in document.others if other.bytes]
    for number, (size, other) in enumerate(placed):
        colour = COLOURS[-1 - number % len(COLOURS)]
        axes.scatter(
            [size], [other.accuracy_percent], marker="x", s=36, color=colour, label=f"{other.name} (published)"
        )


def _draw_line(axes: Axes, name: str, points: list[tuple[str, Row]], colour: str, marker: str) -> None:
    placed = [(label, row, row.bytes, row.accuracy) for label, row in points]
    known: list[Any] = sorted((entry for entry in placed if entry[2] and entry[3]), key=lambda entry: entry[2].mean)
    x, y = [size.mean for _, _, size, _ in known], [accuracy.mean for *_, accuracy in known]
    sides = [[size.mean - size.least for _, _, size, _ in known], [size.most - size.mean for _, _, size, _ in known]]
    heights = [accuracy.deviation or 0.0 for *_, accuracy in known]
    bars = {"capsize": 2.5, "elinewidth": 0.9, "linewidth": 1.1, "markersize": 5}
    axes.errorbar(x, y, yerr=heights, xerr=sides, color=colour, marker=marker, label=name, **bars)  # type: ignore[arg-type]
    for label, row, size, accuracy in known:
        if label:
            axes.annotate(label, (size.mean, accuracy.mean), (4, 4), textcoords="offset points", color=colour, size=8)
        if row.published:
            at = row.published.bytes or size.mean
            _draw_star(axes, [at], [row.published.accuracy_percent], colour)
    if any(row.published for _, row, _, _ in known) and "paper" not in axes.get_legend_handles_labels()[1]:
        _draw_star(axes, [], [], "black", label="paper")


def _draw_star(axes: Axes, x: list[float], y: list[float], colour: str, label: str | None = None) -> None:
    axes.scatter(x, y, marker="*", s=70, facecolors="white", edgecolors=colour, zorder=3, label=label)


def label_sizes(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    low, high = axes.dataLim.intervalx
    if 0 < high / low < _LEAST_SPAN:  # one size: matplotlib leaves the axis no width, or warns and makes it a decade
        axes.autoscale(False, axis="x")
        axes.set_xlim(low / _LEAST_SPAN, high * _LEAST_SPAN)
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(_size_locator(high / low))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    kilo = high >= 1000
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size / 1000 if kilo else size:g}"))
    axes.set_xlabel("file size, kB (1 kB = 1000 bytes)" if kilo else "file size, bytes")


def _size_locator(span: float) -> Locator:
    from matplotlib.ticker import LogLocator, MaxNLocator

    if span < _LINEAR_SPAN:  # between round numbers of a decade there may be none
        return MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
    return LogLocator(subs=(1, 2, 5) if span > 4 else (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8))


def save_figure(figure: Any, path: Path, ending: str) -> Path:
    """Write a figure under the path's name with this ending; RunError if that cannot be."""
    if not path.name:
        raise RunError(f"{str(path)!r} names no file for the figure")
    target = path.with_suffix(ending) if path.suffix in (".png", ".svg") else path.with_name(path.name + ending)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=200, metadata={"Date": None} if ending == ".svg" else None)
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error.strerror}") from None
    return target
