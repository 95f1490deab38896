"""Optimizers and learning rates, from a stage's settings."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from typing import Any

import nni
import torch
from torch import nn
from torch.optim import Optimizer

from dqc_plugin.schedule.settings import Constant, Cosine, LRSchedule, MultiStep, OneCycle, Step, TrainSettings

_CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def make_optimizer(parameters: Iterable[nn.Parameter], settings: TrainSettings) -> Optimizer:
    """The optimizer of a stage, traced so that NNI can build it again for a wrapped model."""
    arguments = settings.optimizer.model_dump(exclude={"name", "weight_decay_on"})
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    groups = _groups(trainable) if settings.optimizer.weight_decay_on == "weights" else trainable
    optimizer: Optimizer = nni.trace(_CLASSES[settings.optimizer.name])(groups, **arguments)
    return optimizer


def _groups(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    """Matrices and kernels, and, without weight decay, vectors and scalars: biases, batch norm."""
    weights = {"params": [parameter for parameter in parameters if parameter.dim() > 1]}
    others = {"params": [parameter for parameter in parameters if parameter.dim() <= 1], "weight_decay": 0.0}
    return [group for group in (weights, others) if group["params"]]


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step (from 0): a pure function, so that a resumed stage goes on with it."""
    rule, epoch = settings.lr_schedule, step / steps_per_epoch
    warmup = _warmup_epochs(rule, settings.epochs)
    factor = (epoch + 1 / steps_per_epoch) / warmup if epoch < warmup else _factor(rule, epoch, warmup, settings.epochs)
    return settings.optimizer.lr * min(factor, 1.0)


def _warmup_epochs(rule: LRSchedule, epochs: int) -> float:
    if isinstance(rule, OneCycle) and rule.warmup_epochs is None:
        return 0.3 * epochs
    return rule.warmup_epochs or 0.0


def _factor(rule: LRSchedule, epoch: float, warmup: float, epochs: int) -> float:
    if isinstance(rule, Step):
        return rule.gamma ** int(epoch / rule.step_epochs)
    if isinstance(rule, MultiStep):
        return rule.gamma ** bisect.bisect_right(rule.milestones_epochs, epoch)
    if isinstance(rule, (Cosine, OneCycle)):
        done = min((epoch - warmup) / max(epochs - warmup, 1e-9), 1.0)
        return rule.final_fraction + (1 - rule.final_fraction) * (1 + math.cos(math.pi * done)) / 2
    assert isinstance(rule, Constant)
    return 1.0
