"""Runs that an earlier report tells of, so that a family goes on without their folders, on any machine."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dqc_plugin.errors import ConfigError, RunError
from dqc_plugin.report.layer_figures import LAYERS_FILE, Figures, read_layer_figures
from dqc_plugin.report.runs import Run

_LEFT_OUT = ("labels", "schedule", "file", "layers")


def as_record(run: Run) -> dict[str, Any]:
    """A run as plain data, without what its family or its folder tells."""
    return {field.name: getattr(run, field.name) for field in fields(Run) if field.name not in _LEFT_OUT}


def read_known(folder: Path | None) -> dict[str, Run]:
    """The runs in a report's ``table.json`` by the digest of their schedule, with the figures of its ``layers.csv``.

    No runs where there is no report. Raises RunError for a file that is no such table.
    """
    if folder is None or not (path := folder / "table.json").exists():
        return {}
    layers = read_layer_figures(folder / LAYERS_FILE)
    try:
        records = [record for row in json.loads(path.read_text(encoding="utf-8"))["rows"] for record in row["runs"]]
        return {record["digest"]: _run(record, layers.get((record["digest"], record["bytes"]))) for record in records}
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: is not a table of dqc compare ({error}); delete it to run the family anew") from None


def require_kept(known: Mapping[str, Run], digests: Container[str], folder: Path) -> None:
    """Raise ConfigError if a report's runs are not all among the schedules that are to be reported in its place."""
    lost = [run.name for digest, run in known.items() if digest not in digests]
    if lost:
        raise ConfigError(
            f"{folder / 'table.json'}: has {len(lost)} run{'s' if len(lost) > 1 else ''} that --set leaves out, "
            f"such as {lost[0]}; writing would lose them: give another --report, or none"
        )


def _run(record: Mapping[str, Any], layers: Figures | None) -> Run:
    return Run(**{**record, "epochs": tuple(record["epochs"])}, labels={}, schedule={}, file=None, layers=layers)
