"""Trials on other machines: what they need goes there, their figures come back through NNI."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dqc_plugin.errors import ConfigError
from dqc_plugin.pipeline.folder import write_atomically
from dqc_plugin.pipeline.runner import run
from dqc_plugin.pipeline.teacher import teachers_of
from dqc_plugin.schedule import Schedule, TrainStage, load_schedule
from dqc_plugin.search.space import trial_schedule
from dqc_plugin.search.trial import RESULT, Trial, read_trial

CODE, BASE, START = "code", "base.json", "start"


def is_local(nni: Mapping[str, Any]) -> bool:
    """True if trials run on this machine, in these folders."""
    service = nni.get("trainingService") or {"platform": "local"}
    return isinstance(service, dict) and service.get("platform", "local") == "local"


def send(folder: Path, trials: Path, nni: Mapping[str, Any]) -> Path:
    """The folder that NNI copies to the other machines: the schedule, its checkpoints, where trials start.

    Raises ConfigError for a trialCodeDirectory: own modules have to be installed there.
    """
    if "trialCodeDirectory" in nni:
        raise ConfigError("trialCodeDirectory: a search sends its own; install your modules on the other machines")
    code = folder / CODE
    shutil.rmtree(code, ignore_errors=True)
    code.mkdir(parents=True)
    shutil.copyfile(folder / BASE, code / BASE)
    if (trials / START).exists():
        shutil.copytree(trials / START, code / "trials" / START, ignore=shutil.ignore_patterns(".lock"))
    for path in _weights(load_schedule(folder / BASE)):
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, code / path)
    return code


def _weights(schedule: Schedule) -> list[Path]:
    """The checkpoints below the working directory; others have to be at the same path on the other machines."""
    starts = [stage.checkpoint for stage in schedule.stages if isinstance(stage, TrainStage) and stage.checkpoint]
    paths = map(Path, [*starts, *(teacher.checkpoint for teacher in teachers_of(schedule))])
    return [path for path in paths if not path.is_absolute() and ".." not in path.parts]


def receive(target: Path, parameters: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Keep the figures of a trial that ran elsewhere."""
    if read_trial(target) is None:
        trial = Trial(dict(parameters), metrics["accuracy"], int(metrics["bytes"]), metrics["default"], 0.0)
        target.mkdir(parents=True, exist_ok=True)
        write_atomically(target / RESULT, json.dumps(asdict(trial), indent=2).encode())


def fetch(folder: Path, trial: Trial, target: Path, start: Path) -> None:
    """The file of a trial that ran elsewhere, by running it here."""
    schedule: Schedule = trial_schedule(load_schedule(folder / BASE), trial.parameters)
    run(schedule, target, siblings=[start])
