"""The rise of the loss by layer and bit width, as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dqc_plugin.report.plot import COLOURS, MARKERS, STYLE, require_matplotlib, save_figure

_LEAST = 1e-5


def write_sensitivity_plot(rows: Sequence[Mapping[str, Any]], title: str, path: Path) -> list[Path]:
    """Bars of layers in the network's order would hide the small ones: points on a logarithmic scale, as PNG and SVG.

    rows: ``layer``, ``bits`` and ``loss_change`` of each. A loss that does not rise stands at the bottom.
    """
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    layers = list(dict.fromkeys(row["layer"] for row in rows))
    with rc_context(STYLE):
        figure = Figure(figsize=(max(5.0, 0.3 * len(layers) + 2.5), 4.0), layout="constrained")
        axes = figure.subplots()
        for number, bits in enumerate(sorted({row["bits"] for row in rows})):
            changes = [max(row["loss_change"], _LEAST) for row in rows if row["bits"] == bits]
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            axes.plot(range(len(changes)), changes, marker, color=colour, label=f"{bits} bits")
        axes.set_yscale("log")
        axes.set_xticks(range(len(layers)), layers, rotation=90 if len(layers) > 6 else 0)
        axes.set_ylabel("rise of the cross entropy, one layer quantized")
        axes.set_title(title, loc="left")
        axes.grid(True, axis="y", color="#dddddd", linewidth=0.6)
        axes.legend(frameon=False)
        return [save_figure(figure, path, ending) for ending in (".png", ".svg")]
