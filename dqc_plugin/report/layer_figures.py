"""What each layer of a run's compressed file takes, and its keeping beside a table, where it outlives the file."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from dqc_plugin.artifact import inspect
from dqc_plugin.artifact.report import Sizes
from dqc_plugin.errors import RunError
from dqc_plugin.report.runs import Run

LAYERS_FILE = "layers.csv"
_KEYS = ("digest", "file_bytes", "run", "layer")
_FIGURES = (
    "weights", "kept_percent", "weight_bits_quantized", "weight_bits_coded", "index_bits_quantized",
    "index_bits_coded", "rate_percent_quantized", "rate_percent_coded",
)  # fmt: skip
_TOTAL = "total"

Figures = Mapping[str, Sequence[float]]
"""By layer: weights, percent kept, bits per kept weight and per index, percent of the dense bytes; the last three
before and after coding."""


def layer_figures(run: Run) -> Figures | None:
    """Of the run's file, or as an earlier report kept them; None where there is neither."""
    if not run.file:
        return run.layers
    report = inspect(run.file)
    sizes = {row.name.removesuffix(".weight"): row.sizes for row in report.layers}
    return {name: _of_sizes(size) for name, size in {**sizes, _TOTAL: report.total}.items()}


def mean_figures(files: Sequence[Figures]) -> Figures:
    """The mean of each figure over some files of one network."""
    return {
        layer: [statistics.fmean(values) for values in zip(*(file[layer] for file in files), strict=True)]
        for layer in files[0]
    }


def as_csv(runs: Sequence[tuple[Run, Figures]]) -> str:
    """A line for each run and layer."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_KEYS, *_FIGURES])
    for run, figures in runs:
        for layer, values in figures.items():
            writer.writerow([run.digest, run.bytes, run.name, layer, *map(_plain, values)])
    return text.getvalue()


def read_layer_figures(path: Path) -> dict[tuple[str, int], Figures]:
    """Of each run by its schedule's digest and its file's bytes, as ``as_csv`` wrote them; none without such a file.

    A run that was run again has another file. Raises RunError for a file that is no such list, or is cut off.
    """
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    if not path.exists():
        return {}
    try:
        for line in csv.DictReader(StringIO(path.read_text(encoding="utf-8"))):
            layers = found.setdefault((line["digest"], int(line["file_bytes"])), {})
            layers[line["layer"]] = [float(line[name]) for name in _FIGURES]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: is not a list of layers by dqc compare ({error}); delete it to do without") from None
    if not all(_TOTAL in layers for layers in found.values()):
        raise RunError(f"{path}: is cut off; delete it to do without")
    return dict(found)


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


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
