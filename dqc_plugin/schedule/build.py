"""The network that a schedule names."""

from __future__ import annotations

from torch import nn

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.model import Schedule


def build_model(schedule: Schedule) -> nn.Module:
    """The network that the schedule names, newly initialised, on the CPU.

    Raises ScheduleError if it names none or the factory gives something else.
    """
    if schedule.model is None:
        raise _problem(schedule, "is required here: a registered name such as lenet5, or package.module:factory")
    model = schedule.model.factory()(**schedule.model.arguments)
    if not isinstance(model, nn.Module):
        raise _problem(schedule, f"{schedule.model.name!r} gave a {type(model).__name__}, not a torch module")
    return model


def _problem(schedule: Schedule, text: str) -> ScheduleError:
    return ScheduleError(f"{schedule.origin.place(('model',)).label}model: {text}")
