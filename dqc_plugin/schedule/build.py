"""The network that a schedule names."""

from __future__ import annotations

from torch import nn

from dqc_plugin.errors import DQCError, ScheduleError
from dqc_plugin.schedule.model import Schedule
from dqc_plugin.schedule.specs import ModelSpec


def build_model(schedule: Schedule) -> nn.Module:
    """The network that the schedule names, newly initialised, on the CPU.

    Raises ScheduleError if it names none, or the factory fails or gives something else.
    """
    where = f"{schedule.origin.place(('model',)).label}model"
    if schedule.model is None:
        raise ScheduleError(f"{where}: is required here: a registered name such as lenet5, or package.module:factory")
    return build_network(schedule.model, where)


def build_network(spec: ModelSpec, where: str) -> nn.Module:
    """The network of a spec, newly initialised, on the CPU; where: its key, for errors."""
    try:
        model = spec.factory()(**spec.arguments)
    except Exception as error:  # of the user's code, or of torch for sizes that cannot be
        why = str(error) if isinstance(error, DQCError) else f"{type(error).__name__}: {error}"
        raise ScheduleError(f"{where}: {spec.name!r} cannot be made: {why}") from error
    if not isinstance(model, nn.Module):
        raise ScheduleError(f"{where}: {spec.name!r} gave a {type(model).__name__}, not a torch module")
    return model
