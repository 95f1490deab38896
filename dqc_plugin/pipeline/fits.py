"""Whether a schedule's network fits its data, told before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from dqc_plugin.errors import ScheduleError
from dqc_plugin.pipeline.evaluate import Batch
from dqc_plugin.schedule import Schedule

_FEW = 2


def require_fit(schedule: Schedule, model: nn.Module, batches: Iterable[Batch]) -> None:
    """ScheduleError if the network cannot take the data's inputs or has fewer outputs than these have classes.

    batches: (inputs, labels), of which the first is looked at.
    """
    inputs, labels = next(iter(batches), (None, None))
    if inputs is None or labels is None:
        return
    name = schedule.model.name if schedule.model else ""
    where = f"{schedule.origin.place(('model',)).label}model: {name}"
    outputs = few_outputs(model, inputs, where)
    if outputs is not None and outputs.dim() == 2 and int(labels.max()) >= outputs.shape[1]:
        raise ScheduleError(f"{where} has {outputs.shape[1]} outputs, but the data has a class {int(labels.max())}")


def few_outputs(model: nn.Module, inputs: Tensor, where: str) -> Tensor | None:
    """What the network gives for a few of the inputs; None if that is no tensor.

    Raises ScheduleError, which begins with ``where``, if it cannot take the inputs.
    """
    try:
        with torch.no_grad():
            outputs = model.eval()(inputs[:_FEW].to(next(model.parameters()).device))
    except Exception as error:
        shape, why = list(inputs.shape[1:]), str(error).split("\n")[0]
        raise ScheduleError(f"{where} cannot take the data's inputs, of shape {shape}: {why}") from error
    return outputs if isinstance(outputs, Tensor) else None
