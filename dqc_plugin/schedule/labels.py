"""``checkpoint: nets/{network}-seed{seed}.safetensors``: the choices of a cell in the path that it starts from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.problems import Problems
from dqc_plugin.schedule.stages import Stage, TrainStage

AXIS = re.compile(r"\{([^{}]*)\}")


def with_labels(schedule: Schedule, labels: Mapping[str, str]) -> Schedule:
    """The schedule with a cell's labels where its checkpoints name their axes; ScheduleError for names of no axis."""
    stages = tuple(_labelled(stage, labels) for stage in schedule.stages)
    return schedule.model_copy(update={"stages": stages})


def _labelled(stage: Stage, labels: Mapping[str, str]) -> Stage:
    if not isinstance(stage, TrainStage) or stage.checkpoint is None:
        return stage
    problems, keys = Problems(stage.origin), (*stage.origin.root, "train", "checkpoint")
    for axis in AXIS.findall(stage.checkpoint):
        if axis not in labels:
            problems.add(keys, f"{{{axis}}} names no axis of the matrix{did_you_mean(axis, labels)}")
    if set(AXIS.sub("", stage.checkpoint)) & set("{}"):
        problems.add(keys, f"{stage.checkpoint!r} has a brace without its partner")
    problems.raise_if_any()
    return stage.model_copy(update={"checkpoint": AXIS.sub(lambda match: labels[match[1]], stage.checkpoint)})
