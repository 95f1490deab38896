"""A search as a figure: every trial, the front, and uniform bit widths as their own points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqc_plugin.errors import RunError
from dqc_plugin.report.plot import COLOURS, STYLE, label_sizes, require_matplotlib, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 10.0  # of accuracy that the figure shows
_TRIAL: dict[str, Any] = {"color": COLOURS[0], "markersize": 4, "label": "trial"}


def write_search_plot(trials: Path, title: str, path: Path) -> list[Path]:
    """Accuracy on held-out training data against bytes, as PNG and SVG. trials: the search's trials.json.

    Raises ConfigError without matplotlib, RunError for a file that no search wrote.
    """
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    try:
        content = json.loads(trials.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = content["trials"]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{trials}: is not what dqc search wrote: {error}") from None
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(*_points([t for t in found if one_width(t["parameters"]) is None]), "o", alpha=0.45, **_TRIAL)
        axes.step(*_points(_front(found)), where="post", color=COLOURS[0], linewidth=1.1, label="front of all trials")
        _draw_uniform(axes, [trial for trial in found if one_width(trial["parameters"]) is not None])
        if content["best"]:
            axes.plot(*_points([content["best"]]), "*", color=COLOURS[2], markersize=12, label="best by the aim")
        axes.set_xscale("log")
        axes.margins(0.1)
        _cut_below(axes, found)
        label_sizes(axes)
        axes.set_ylabel("accuracy on held-out training data, %")
        axes.set_title(title, loc="left")
        axes.grid(True, color="#dddddd", linewidth=0.6)
        axes.legend(frameon=False)
        return [save_figure(figure, path, ending) for ending in (".png", ".svg")]


def one_width(parameters: Mapping[str, Any]) -> int | None:
    """The bit width that all layers of a trial have, None if they differ."""
    widths = {value for name, value in parameters.items() if name.rpartition(".")[2] == "bits"}
    return widths.pop() if len(widths) == 1 else None


def _draw_uniform(axes: Axes, trials: list[dict[str, Any]]) -> None:
    axes.plot(*_points(trials), "s", color=COLOURS[1], label="one bit width for all layers")
    for trial in trials:
        place = (trial["bytes"], 100 * trial["accuracy"])
        text = f"{one_width(trial['parameters'])}"
        axes.annotate(text, place, (4, 4), textcoords="offset points", color=COLOURS[1], size=8, annotation_clip=True)


def _cut_below(axes: Axes, trials: list[dict[str, Any]]) -> None:
    """Show the best points alone; those far below them become marks at the lower edge."""
    best = max((100 * trial["accuracy"] for trial in trials), default=0.0)
    below = [trial for trial in trials if 100 * trial["accuracy"] < best - _POINTS]
    if not below:
        return
    axes.set_ylim(best - 1.1 * _POINTS, best + 0.1 * _POINTS)
    x = [trial["bytes"] for trial in below]
    axes.plot(x, [best - 1.07 * _POINTS] * len(x), "v", color="#888888", markersize=5, label="trial below the axis")


def _points(trials: list[dict[str, Any]]) -> tuple[list[int], list[float]]:
    return [trial["bytes"] for trial in trials], [100 * trial["accuracy"] for trial in trials]


def _front(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for trial in sorted(trials, key=lambda trial: (trial["bytes"], -trial["accuracy"])):
        if not kept or trial["accuracy"] > kept[-1]["accuracy"]:
            kept.append(trial)
    return kept
