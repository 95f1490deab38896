from __future__ import annotations

from itertools import product

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dqc_plugin.report import Row, Spread, make_document
from dqc_plugin.report.plot import draw, label_sizes


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sizes", [[38_973], [129_021], [38_973, 38_974], [98_398, 106_350], [500, 90_000]])
def test_an_axis_of_sizes_has_a_width_and_few_ticks(sizes: list[int]) -> None:
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.errorbar(sizes, [89.7] * len(sizes), xerr=[0] * len(sizes))
    axes.margins(0.12)
    label_sizes(axes)
    low, high = axes.get_xlim()
    assert low < min(sizes) <= max(sizes) < high and high / low > 1.01
    assert 2 <= len([tick for tick in axes.get_xticks() if low < tick < high]) <= 20


def test_a_line_looks_the_same_in_each_panel_also_where_others_are_not_run() -> None:
    cells = list(product(("small", "large"), ("dqc", "sqc"), ("no", "yes"), ("3", "5")))
    rows = [row(*cell) for cell in cells if cell[:3] != ("large", "dqc", "no")]
    small, large = draw(make_document("sizes", "", rows)).axes
    assert len(looks(small)) == 4 and len(looks(large)) == 3
    assert looks(large).items() <= looks(small).items()


def row(size: str, quantizer: str, zero: str, bits: str) -> Row:
    labels = {"size": size, "quantizer": quantizer, "zero": zero, "bits": bits}
    return Row(labels, (), 1, Spread.of([90.0]), None, Spread.of([1000 * int(bits)]), 10.0, None)


def looks(axes: Axes) -> dict[str, tuple[str, str]]:
    drawn = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    return {label: (bar[0].get_color(), bar[0].get_marker()) for label, bar in drawn.items()}
