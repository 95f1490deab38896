from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from dqc_plugin.report.plot import label_sizes


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sizes", [[38_973], [129_021], [38_973, 38_974], [500, 90_000]])
def test_an_axis_of_sizes_has_a_width_and_few_ticks(sizes: list[int]) -> None:
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.errorbar(sizes, [89.7] * len(sizes), xerr=[0] * len(sizes))
    axes.margins(0.12)
    label_sizes(axes)
    low, high = axes.get_xlim()
    assert low < min(sizes) <= max(sizes) < high and high / low > 1.01
    assert 1 <= len([tick for tick in axes.get_xticks() if low < tick < high]) <= 20
