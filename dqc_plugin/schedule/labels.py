"""``checkpoint: nets/{network}-seed{seed}.safetensors``: the choices of a cell in the path that it starts from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.problems import Keys, Origin, Problems
from dqc_plugin.schedule.stages import CoderStage, Stage, TrainStage

AXIS = re.compile(r"\{([^{}]*)\}")


def with_labels(schedule: Schedule, labels: Mapping[str, str]) -> Schedule:
    """The schedule with a cell's labels where its checkpoints name their axes; ScheduleError for names of no axis."""
    stages = tuple(_labelled(stage, labels) for stage in schedule.stages)
    return schedule.model_copy(update={"stages": stages})


def _labelled(stage: Stage, labels: Mapping[str, str]) -> Stage:
    if isinstance(stage, CoderStage):
        return stage
    changed: dict[str, Any] = {}
    inside = (*stage.origin.root, *(("train",) if isinstance(stage, TrainStage) else ()))
    if isinstance(stage, TrainStage) and stage.checkpoint is not None:
        changed["checkpoint"] = _filled(stage.checkpoint, labels, stage.origin, (*inside, "checkpoint"))
    distill = stage.train.distill
    if distill is not None and distill.teacher is not None:
        keys = (*inside, "distill", "teacher", "checkpoint")
        path = _filled(distill.teacher.checkpoint, labels, stage.origin, keys)
        taught = distill.model_copy(update={"teacher": distill.teacher.model_copy(update={"checkpoint": path})})
        changed["train"] = stage.train.model_copy(update={"distill": taught})
    return stage.model_copy(update=changed)


def _filled(path: str, labels: Mapping[str, str], origin: Origin, keys: Keys) -> str:
    problems = Problems(origin)
    for axis in AXIS.findall(path):
        if axis not in labels:
            problems.add(keys, f"{{{axis}}} names no axis of the matrix{did_you_mean(axis, labels)}")
    if set(AXIS.sub("", path)) & set("{}"):
        problems.add(keys, f"{path!r} has a brace without its partner")
    problems.raise_if_any()
    return AXIS.sub(lambda match: labels[match[1]], path)
