"""A comparison as a folder of tables and a plot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dqc_plugin.errors import RunError
from dqc_plugin.report.document import Document
from dqc_plugin.report.layer_figures import LAYERS_FILE, as_csv, layer_figures
from dqc_plugin.report.layers import layer_columns, layer_rows
from dqc_plugin.report.plot import write_plot
from dqc_plugin.report.runs import Run
from dqc_plugin.report.table import columns, table_rows


def write_report(document: Document, folder: Path) -> None:
    """table.md, table.csv and table.json; where runs have files also plot.png and plot.svg.

    layers.md and layers.csv are written where the layers of all these files are known: from the files themselves, or
    from an earlier layers.csv.
    """
    write_markdown(document, folder / "table.md")
    write_csv(document, folder / "table.csv")
    write_json(document, folder / "table.json")
    runs = [run for row in document.rows for run in row.runs if run.bytes is not None]
    if runs:
        write_plot(document, folder / "plot")
        _write_layers(document, runs, folder)


def write_markdown(document: Document, path: Path) -> None:
    """A table, and below it the command, seeds, epochs, versions, machine and date."""
    _write_table(document, path, columns(document), table_rows(document))


def write_csv(document: Document, path: Path) -> None:
    """Plain numbers, a row each; empty where there is no figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    figures = [_csv_figures(row) for row in document.as_dict()["rows"]]
    names = list(figures[0]) if figures else []
    writer.writerow([*document.axes, *names])
    for row, values in zip(document.rows, figures, strict=True):
        writer.writerow([*(row.labels.get(axis, "") for axis in document.axes), *values.values()])
    _write(path, text.getvalue())


def write_json(document: Document, path: Path) -> None:
    """Everything, each run behind a row too."""
    _write(path, json.dumps(document.as_dict(), indent=2, ensure_ascii=False) + "\n")


def _write_layers(document: Document, runs: Sequence[Run], folder: Path) -> None:
    found = [(run, figures) for run in runs if (figures := layer_figures(run))]
    if len(found) < len(runs):
        return
    rows = layer_rows(document, {id(run): figures for run, figures in found})
    _write_table(document, folder / "layers.md", layer_columns(document), rows)
    _write(folder / LAYERS_FILE, as_csv(found))


def _write_table(document: Document, path: Path, names: list[str], rows: list[list[str]]) -> None:
    lines = [f"## {document.name}", "", _line(names), _line(_rule(document, names)), *map(_line, rows)]
    _write(path, "\n".join([*lines, "", *_facts(document)]) + "\n")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _rule(document: Document, names: list[str]) -> list[str]:
    return ["---" if name in ("layer", *document.axes) else "---:" for name in names]


def _facts(document: Document) -> list[str]:
    facts = document.facts
    epochs = [" + ".join(map(str, stages)) for stages in facts["epochs"]]
    machines = [f"{place['machine']}, {place['device']}, {place['threads']} threads" for place in facts["machines"]]
    versions = [", ".join(f"{name} {number}" for name, number in found.items()) for found in facts["versions"]]
    measured = [f"the {part} set" if part == "test" else "held-out training data" for part in facts["measured_on"]]
    told = {
        "Command": [f"`{document.command}`"],
        "Accuracy": [f"mean ± standard deviation (n - 1) over the seeds, on {part}" for part in measured],
        "Seeds": [", ".join(map(str, facts["seeds"]))] if facts["seeds"] else [],
        "Epochs of the stages": epochs,
        "Versions": versions,
        "Machine": machines,
        "Date": [" to ".join(dict.fromkeys((facts["dates"][0], facts["dates"][-1])))] if facts["dates"] else [],
    }
    return [f"- {name}: {'; '.join(values)}" for name, values in told.items() if values]


def _csv_figures(row: dict[str, Any]) -> dict[str, Any]:
    accuracy, size, published = row["accuracy_percent"] or {}, row["bytes"] or {}, row["published"] or {}
    return {
        "n": row["n"],
        "accuracy_percent_mean": accuracy.get("mean"),
        "accuracy_percent_deviation": accuracy.get("deviation"),
        "accuracy_percent_least": accuracy.get("least"),
        "accuracy_percent_most": accuracy.get("most"),
        "float_accuracy_percent_mean": (row["float_accuracy_percent"] or {}).get("mean"),
        "bytes_mean": size.get("mean"),
        "bytes_least": size.get("least"),
        "bytes_most": size.get("most"),
        "ratio": row["ratio"],
        "paper_accuracy_percent": published.get("accuracy_percent"),
        "difference_percent": row["difference_percent"],
    }


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from None
