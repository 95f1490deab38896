"""Learning from a float network: its soft outputs beside the labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dqc_plugin.errors import RunError
from dqc_plugin.pipeline.context import Context
from dqc_plugin.pipeline.folder import load_checkpoint
from dqc_plugin.pipeline.state import NetworkState
from dqc_plugin.pipeline.teacher import make_teacher
from dqc_plugin.schedule import TrainStage
from dqc_plugin.schedule.settings import Distill


class Distillation:
    """(1 - weight) loss + weight T^2 KL(teacher || student), both softened by T (Hinton et al. 2015, section 2)."""

    def __init__(self, teacher: nn.Module, settings: Distill) -> None:
        self.teacher, self.settings = teacher.eval().requires_grad_(False), settings

    def __call__(self, loss: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """loss: of the labels; outputs: the student's logits (N, classes)."""
        weight, temperature = self.settings.weight, self.settings.temperature
        with torch.no_grad():
            wanted = F.log_softmax(self.teacher(inputs) / temperature, 1)
        given = F.log_softmax(outputs / temperature, 1)
        distance = F.kl_div(given, wanted, reduction="batchmean", log_target=True)
        return (1 - weight) * loss + weight * temperature**2 * distance


def find_distillation(context: Context, number: int, settings: Distill | None) -> Distillation | None:
    """The teacher of a stage: its own, else the network after the last train stage before it or the caller's."""
    if settings is None:
        return None
    if settings.teacher is not None:
        return Distillation(make_teacher(context.schedule, settings.teacher, context.device), settings)
    trained = [n for n, stage in enumerate(context.schedule.stages[:number]) if isinstance(stage, TrainStage)]
    teacher = context.make_model()
    if trained:
        path = context.folder.end_of_stage(trained[-1])
        saved = load_checkpoint(path)
        if saved is None:
            raise RunError(f"{path}: missing, and stages[{number}] learns from it; delete the folder to start again")
        NetworkState.from_checkpoint(saved, context.device).into(teacher)
    return Distillation(teacher, settings)
