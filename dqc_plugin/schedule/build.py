"""The network that a schedule names."""

from __future__ import annotations

from torch import nn

from dqc_plugin.errors import DQCError, ScheduleError
from dqc_plugin.schedule.model import Schedule


def build_model(schedule: Schedule) -> nn.Module:
    """The network that the schedule names, newly initialised, on the CPU.

    Raises ScheduleError if it names none, or the factory fails or gives something else.
    """
    if schedule.model is None:
        raise _problem(schedule, "is required here: a registered name such as lenet5, or package.module:factory")
    try:
        model = schedule.model.factory()(**schedule.model.arguments)
    except Exception as error:  # of the user's code, or of torch for sizes that cannot be
        why = str(error) if isinstance(error, DQCError) else f"{type(error).__name__}: {error}"
        raise _problem(schedule, f"{schedule.model.name!r} cannot be made: {why}") from error
    if not isinstance(model, nn.Module):
        raise _problem(schedule, f"{schedule.model.name!r} gave a {type(model).__name__}, not a torch module")
    return model


def _problem(schedule: Schedule, text: str) -> ScheduleError:
    return ScheduleError(f"{schedule.origin.place(('model',)).label}model: {text}")
