"""The training loop: epochs with a checkpoint after each, from which the same loop goes on."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from dqc_plugin.errors import RunError
from dqc_plugin.pipeline.averaging import WeightAverage
from dqc_plugin.pipeline.batch_norm import estimate_batch_norm
from dqc_plugin.pipeline.context import Context, TrainingData
from dqc_plugin.pipeline.evaluate import Batch
from dqc_plugin.pipeline.folder import load_checkpoint
from dqc_plugin.pipeline.optimizers import learning_rate
from dqc_plugin.pipeline.progress import load_model_state
from dqc_plugin.pipeline.state import NetworkState
from dqc_plugin.pipeline.stepper import Stepper, TrainingStep
from dqc_plugin.pruners.masks import Masks
from dqc_plugin.schedule.settings import TrainSettings

_EPOCHS_OF_A_STAGE = 1_000_000  # more than any stage has: keeps the seeds of stages apart


@dataclass
class Fit:
    """Training of one stage.

    number: the stage's place in the schedule, from 0.
    save, load: what a compressor keeps beside the model's state.
    held: masks of earlier stages, for a stage whose compressor does not know them.
    follow_weights: what is to happen when the weights' average has taken their place.
    state: the quantized network as it is, for whoever watches; None in other stages.
    """

    context: Context
    number: int
    settings: TrainSettings
    training_step: TrainingStep
    save: Callable[[], Any] = lambda: None
    load: Callable[[Any], None] = lambda saved: None
    held: Masks = field(default_factory=dict)
    follow_weights: Callable[[], None] = lambda: None
    state: Callable[[], NetworkState] | None = None
    average: WeightAverage | None = None

    def __call__(self, model: nn.Module, optimizer: Optimizer, training_step: TrainingStep | None = None) -> None:
        """Train the epochs that are left and evaluate after each; RunError if the loss is not a number."""
        data = self.context.training_data(self.settings.batch_size)
        stepper = self._stepper(model, optimizer, training_step or self.training_step)
        if self.settings.weight_averaging is not None:
            self.average = WeightAverage(model, self.settings.weight_averaging.decay)
        for epoch in range(self._resume(stepper), self.settings.epochs):
            started = time.perf_counter()
            loss = self._train_epoch(stepper, data, epoch)
            metric = self.context.metric(model, self.context.evaluation)
            self._record(epoch, loss, metric, time.perf_counter() - started)
            self._save(stepper, epoch + 1)
        if self.average is not None:
            self.average.replace_weights()
            self.follow_weights()

    def warm_up(self, model: nn.Module, optimizer: Optimizer, step: TrainingStep, steps: int) -> None:
        """Train so many steps, without checkpoints, for a pruner that looks at gradients before it prunes."""
        model.train()
        stepper = self._stepper(model, optimizer, step)
        for index, batch in enumerate(self._batches_beside_training(steps * self.settings.accumulate_batches)):
            stepper(batch, index, steps * self.settings.accumulate_batches)

    def finished(self, plain: nn.Module) -> nn.Module:
        """The stage's network without wrappers, its batch norm estimated anew if the settings say so."""
        count = self.settings.batch_norm_batches
        if count:
            estimate_batch_norm(
                plain, (self.context.placed(inputs) for inputs, _ in self._batches_beside_training(count))
            )
        return plain

    def _batches_beside_training(self, count: int) -> Iterator[Batch]:
        data = self.context.training_data(self.settings.batch_size)
        epochs = -(-count // len(data))
        stream = (self.number + 1) * _EPOCHS_OF_A_STAGE - epochs
        batches = (batch for epoch in range(epochs) for batch in data.epoch(self.context.schedule.seed, stream + epoch))
        return itertools.islice(batches, count)

    def _stepper(self, model: nn.Module, optimizer: Optimizer, step: TrainingStep) -> Stepper:
        return Stepper(self.context, self.settings, model, optimizer, step, self.held)

    def _train_epoch(self, stepper: Stepper, data: TrainingData, epoch: int) -> float:
        stepper.model.train()
        stream = self.number * _EPOCHS_OF_A_STAGE + epoch
        torch.manual_seed(self.context.schedule.seed * 1_000_003 + stream)
        total, steps = torch.zeros((), device=self.context.device), self.context.optimizer_steps(self.settings)
        title = f"epoch {epoch + 1}/{self.settings.epochs}"
        batches = self.context.reporter.steps(data.epoch(self.context.schedule.seed, stream), len(data), title)
        for index, batch in enumerate(batches):
            self._set_learning_rate(stepper.optimizer, epoch * steps + index // self.settings.accumulate_batches, steps)
            total += stepper(batch, index, len(data))
            if self.average is not None and stepper.is_last(index, len(data)):
                self.average.update()
        total = self.context.processes.mean(total)
        loss = float(total) / max(len(data), 1)
        if loss != loss or loss in (float("inf"), float("-inf")):
            raise RunError(f"stages[{self.number}]: the loss is {loss} in epoch {epoch + 1}; lower the learning rate")
        return loss

    def _set_learning_rate(self, optimizer: Optimizer, step: int, steps_per_epoch: int) -> None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, step, steps_per_epoch)

    def _record(self, epoch: int, loss: float, metric: float, seconds: float) -> None:
        record = {
            "event": "epoch",
            "stage": self.number,
            "epoch": epoch + 1,
            "loss": round(loss, 6),
            "metric": metric,
            "seconds": round(seconds, 3),
        }
        self.context.folder.add_record(record)
        self.context.reporter.record(record)
        if self.state is not None:
            self.context.reporter.quantized(record, self.state)

    def _save(self, stepper: Stepper, epochs_done: int) -> None:
        content = {
            "epochs_done": epochs_done,
            "model": stepper.model.state_dict(),
            "optimizer": stepper.optimizer.state_dict(),
            "scaler": stepper.to_checkpoint(),
            "compressor": self.save(),
        }
        if self.average is not None:
            content["average"] = self.average.to_checkpoint()
        folder = self.context.folder
        folder.keep_checkpoint(folder.epoch_of_stage(self.number), content)

    def _resume(self, stepper: Stepper) -> int:
        saved = load_checkpoint(self.context.folder.epoch_of_stage(self.number))
        if saved is None:
            return 0
        load_model_state(stepper.model, saved["model"])
        stepper.optimizer.load_state_dict(saved["optimizer"])
        stepper.load_checkpoint(saved.get("scaler", {}))
        self.load(saved["compressor"])
        if self.average is not None:
            self.average.load_checkpoint(saved["average"])
        return int(saved["epochs_done"])
