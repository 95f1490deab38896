"""One training step: forward in the wanted precision, gradients, and, when enough batches are in, the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dqc_plugin.pipeline.compilation import compiled
from dqc_plugin.pipeline.context import Context
from dqc_plugin.pipeline.evaluate import Batch
from dqc_plugin.pipeline.processes import without_exchange
from dqc_plugin.pruners.masks import Masks, zero_pruned
from dqc_plugin.schedule.settings import TrainSettings

TrainingStep = Callable[[Batch, nn.Module], Tensor]
_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Stepper:
    """Trains a model batch by batch; ``accumulate_batches`` of them make an optimizer step.

    parallel: through the compiled model and all processes of the run; False is for steps beside the training.
    """

    def __init__(
        self,
        context: Context,
        settings: TrainSettings,
        model: nn.Module,
        optimizer: Optimizer,
        step: TrainingStep,
        held: Masks,
    ) -> None:
        self.context, self.settings, self.model, self.optimizer = context, settings, model, optimizer
        self.step, self.held = step, held
        self.parallel = context.processes.parallel(model, context.device)
        self.forward = compiled(self.parallel, context.device) if context.schedule.compile else self.parallel
        self.precision = settings.precision or context.schedule.precision
        self.scaler = torch.amp.GradScaler(context.device.type, enabled=self.precision == "float16")

    def __call__(self, batch: Batch, index: int, total: int) -> Tensor:
        """Take the batch ``index`` of ``total`` of an epoch; its loss, detached, for this process's samples."""
        first = index - index % self.settings.accumulate_batches
        together = min(self.settings.accumulate_batches, total - first)
        is_last = index == first + together - 1
        if index == first:
            self.optimizer.zero_grad()
        with nullcontext() if is_last else without_exchange(self.parallel):
            loss = self._backward(batch, together)
        if is_last:
            self._update()
        return loss

    def is_last(self, index: int, total: int) -> bool:
        """True if the optimizer steps after this batch."""
        return (index + 1) % self.settings.accumulate_batches == 0 or index + 1 == total

    def to_checkpoint(self) -> dict[str, Any]:
        return self.scaler.state_dict()  # type: ignore[no-any-return]

    def load_checkpoint(self, saved: dict[str, Any]) -> None:
        """Take over what :meth:`to_checkpoint` gave."""
        self.scaler.load_state_dict(saved)

    def _backward(self, batch: Batch, together: int) -> Tensor:
        context = self.context
        (inputs, labels), weight = context.processes.part(batch)
        inputs, labels = context.placed(inputs), labels.to(context.device)
        dtype = _AUTOCAST.get(self.precision)
        with torch.autocast(context.device.type, dtype, enabled=dtype is not None):
            loss = self.step((inputs, labels), self.forward)
        if weight != 1.0:
            loss = loss * weight
        self.scaler.scale(loss if together == 1 else loss / together).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _update(self) -> None:
        if self.settings.gradient_clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        zero_pruned(self.model, self.held)
