"""What a run folder tells: figures of a finished run, where and with what it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqc_plugin.errors import RunError


@dataclass(frozen=True)
class Run:
    """One finished run.

    labels: what tells it from the runs beside it. accuracy_percent: at its end, 0 to 100; float_percent: after float
    training, None without such a stage. bytes, ratio: of the compressed file, None without one; file: where it
    is, if it is still there; layers: its figures, as a report kept them. measured_on: test or validation.
    schedule: in canonical form. environment: as in environment.json, {} if there is none.
    """

    name: str
    labels: Mapping[str, str]
    seed: int
    accuracy_percent: float
    float_percent: float | None
    file: Path | None
    bytes: int | None
    ratio: float | None
    epochs: tuple[int, ...]
    seconds: float
    measured_on: str
    digest: str
    schedule: Mapping[str, Any]
    environment: Mapping[str, Any]
    layers: Mapping[str, Sequence[float]] | None = None


def read_run(folder: Path, labels: Mapping[str, str] | None = None, digest: str | None = None) -> Run | None:
    """The run in a folder; None if it is not finished, or, where a digest is given, not begun.

    labels: of the run; its name unless given. digest: of the schedule that it must be a run of.
    Raises RunError for a folder that is no run folder, is damaged, or holds a run of another schedule.
    """
    if digest is not None and not (folder / "schedule.json").exists():
        return None
    document = _read_json(folder / "schedule.json")
    if not document.keys() >= {"schedule", "digest"}:
        raise _damaged(folder / "schedule.json")
    schedule = document["schedule"]
    if digest not in (None, document["digest"]):
        raise RunError(f"{folder} holds a run of another schedule; choose another --out, or delete it to run it again")
    records = _read_records(folder / "records.jsonl")
    stages = [record for record in records if record["event"] == "stage"]
    if not stages or stages[-1]["stage"] != len(schedule["stages"]) - 1:
        return None
    trained = [record for record in stages if "train" in schedule["stages"][record["stage"]]]
    environment = folder / "environment.json"
    return Run(
        name=schedule["name"],
        labels=labels if labels is not None else {"run": schedule["name"]},
        seed=schedule["seed"],
        accuracy_percent=100 * stages[-1]["metric"],
        float_percent=100 * trained[-1]["metric"] if trained else None,
        file=_existing(folder / stages[-1]["file"]) if "file" in stages[-1] else None,
        bytes=stages[-1].get("bytes"),
        ratio=stages[-1].get("ratio"),
        epochs=tuple(epochs for stage in schedule["stages"] for epochs in _epochs(stage)),
        seconds=sum(record["seconds"] for record in stages),
        measured_on=schedule.get("data", {}).get("evaluate_on", "test"),
        digest=document["digest"],
        schedule=schedule,
        environment=_read_json(environment) if environment.exists() else {},
    )


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Finished runs, those that differ in nothing but the seed labelled alike. RunError if one is not finished."""
    runs: list[Run] = []
    names: dict[str, str] = {}
    for folder in folders:
        run = read_run(folder)
        if run is None:
            raise RunError(f"{folder}: is not finished; dqc run goes on with it")
        group = json.dumps(_without_seed(run.schedule), sort_keys=True)
        name = names.setdefault(group, re.sub(r"-seed\d+$", "", run.name))
        others = [other for key, other in names.items() if key != group]
        runs.append(_relabelled(run, name if name not in others else str(folder)))
    return runs


def _relabelled(run: Run, label: str) -> Run:
    return Run(**{**vars(run), "labels": {"run": label}})


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _without_seed(schedule: Mapping[str, Any]) -> dict[str, Any]:
    stages = [{key: value for key, value in stage.items() if key != "file"} for stage in schedule["stages"]]
    return {**{key: value for key, value in schedule.items() if key not in ("name", "seed")}, "stages": stages}


def _epochs(stage: Mapping[str, Any]) -> list[int]:
    settings = stage.get("train", stage)
    return [settings["epochs"]] if "epochs" in settings else []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.parent}: is not a run folder: it has no {path.name}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _read_records(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a last one that a kill cut off is dropped."""
    if not path.exists():
        return []
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    except ValueError as error:
        raise RunError(f"{path}: cannot be read: {error}") from None
    if not all(isinstance(record, dict) and record.keys() >= {"event", "stage"} for record in records):
        raise _damaged(path)
    return records


def _damaged(path: Path) -> RunError:
    return RunError(f"{path}: damaged; delete the folder and run it again")
