"""A network of its own architecture and weights to learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn

from dqc_plugin.errors import ScheduleError
from dqc_plugin.pipeline.context import place_network
from dqc_plugin.pipeline.evaluate import Batch
from dqc_plugin.pipeline.fits import few_outputs
from dqc_plugin.pipeline.start import starting_weights
from dqc_plugin.schedule import CoderStage, ModelSpec, Schedule, build_network
from dqc_plugin.schedule.settings import Teacher

_KEY = "distill.teacher"


def make_teacher(schedule: Schedule, teacher: Teacher, device: torch.device) -> nn.Module:
    """The teacher with its weights, on the device.

    Raises ScheduleError if it cannot be built, RunError for weights that are not its own.
    """
    torch.manual_seed(schedule.seed)
    network = build_network(ModelSpec.of(teacher.model), f"{_KEY}.model")
    network.load_state_dict(starting_weights(Path(teacher.checkpoint), network.state_dict()))
    return place_network(network, schedule, device)


def require_teachers(
    schedule: Schedule, make_model: Callable[[], nn.Module], batches: Iterable[Batch], device: torch.device
) -> None:
    """The errors of :func:`make_teacher` before anything is trained, and ScheduleError if model and teacher differ in
    the shape of their outputs.

    batches: (inputs, labels), of which the first is looked at.
    """
    teachers = teachers_of(schedule)
    inputs = next(iter(batches), (None, None))[0] if teachers else None
    if inputs is None:
        return
    wanted = few_outputs(make_model(), inputs, "model:")
    for teacher in teachers:
        where = f"{_KEY}: {teacher.checkpoint}"
        outputs = few_outputs(make_teacher(schedule, teacher, device), inputs, where)
        if outputs is not None and wanted is not None and outputs.shape != wanted.shape:
            shapes = f"shape {list(outputs.shape[1:])}, those of the network that learns {list(wanted.shape[1:])}"
            raise ScheduleError(f"{where}: its outputs have {shapes}")


def teachers_of(schedule: Schedule) -> list[Teacher]:
    """Each once, though several stages learn from it."""
    stages = [stage for stage in schedule.stages if not isinstance(stage, CoderStage)]
    named = [stage.train.distill.teacher for stage in stages if stage.train.distill]
    return [teacher for n, teacher in enumerate(named) if teacher is not None and teacher not in named[:n]]
