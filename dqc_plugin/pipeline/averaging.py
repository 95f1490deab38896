"""An exponential moving average of the weights while they train, which takes their place at the end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """The average of a model's parameters, and of batch norm's running statistics, over optimizer steps.

    decay: of the average for each step; in step n (from 1) at most (1 + n) / (10 + n), so that the weights of the
        start are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.trained = [*model.parameters(), *_running_statistics(model)]
        self.averages = [tensor.detach().clone() for tensor in self.trained]

    @torch.no_grad()
    def update(self) -> None:
        """Count an optimizer step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(self.averages, self.trained, self.steps)

    @torch.no_grad()
    def replace_weights(self) -> None:
        """Give the model its average."""
        for tensor, average in zip(self.trained, self.averages, strict=True):
            tensor.copy_(average)

    def to_checkpoint(self) -> dict[str, Any]:
        return {"steps": self.steps, "averages": self.averages}

    def load_checkpoint(self, saved: dict[str, Any]) -> None:
        """Take over what :meth:`to_checkpoint` gave."""
        self.steps = int(saved["steps"])
        for average, value in zip(self.averages, saved["averages"], strict=True):
            average.copy_(value)


def _running_statistics(model: nn.Module) -> list[Tensor]:
    layers = (module for module in model.modules() if isinstance(module, _NormBase))
    found = (statistics for layer in layers for statistics in (layer.running_mean, layer.running_var))
    return [statistics for statistics in found if statistics is not None]
