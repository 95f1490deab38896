"""A search as a figure: every trial, the front, and uniform bit widths as their own points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dqc_plugin.errors import RunError
from dqc_plugin.report.plot import COLOURS, STYLE, label_sizes, require_matplotlib, save_figure


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
        searched = [trial for trial in found if not _uniform(trial)]
        uniform = [trial for trial in found if _uniform(trial)]
        axes.plot(*_points(searched), "o", color=COLOURS[0], alpha=0.45, markersize=4, label="trial")
        axes.step(*_points(_front(found)), where="post", color=COLOURS[0], linewidth=1.1, label="front of all trials")
        axes.plot(*_points(uniform), "s", color=COLOURS[1], label="one bit width for all layers")
        for trial in uniform:
            name = f"{next(iter(trial['parameters'].values()))}"
            place = (trial["bytes"], 100 * trial["accuracy"])
            axes.annotate(name, place, (4, 4), textcoords="offset points", color=COLOURS[1], size=8)
        if content["best"]:
            axes.plot(*_points([content["best"]]), "*", color=COLOURS[2], markersize=12, label="best by the aim")
        axes.set_xscale("log")
        axes.margins(0.1)
        label_sizes(axes)
        axes.set_ylabel("accuracy on held-out training data, %")
        axes.set_title(title, loc="left")
        axes.grid(True, color="#dddddd", linewidth=0.6)
        axes.legend(frameon=False)
        return [save_figure(figure, path, ending) for ending in (".png", ".svg")]


def _uniform(trial: dict[str, Any]) -> bool:
    bits = [value for name, value in trial["parameters"].items() if name.rpartition(".")[2] == "bits"]
    return len(bits) == len(trial["parameters"]) and len(set(bits)) == 1


def _points(trials: list[dict[str, Any]]) -> tuple[list[int], list[float]]:
    return [trial["bytes"] for trial in trials], [100 * trial["accuracy"] for trial in trials]


def _front(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for trial in sorted(trials, key=lambda trial: (trial["bytes"], -trial["accuracy"])):
        if not kept or trial["accuracy"] > kept[-1]["accuracy"]:
            kept.append(trial)
    return kept
