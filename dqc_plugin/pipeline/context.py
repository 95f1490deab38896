"""What all stages of a run share: the network's factory, the data, the loss, the metric, the folder."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from dqc_plugin.data import load_data, split_validation
from dqc_plugin.errors import ConfigError
from dqc_plugin.pipeline.evaluate import Batch
from dqc_plugin.pipeline.folder import RunFolder
from dqc_plugin.pipeline.losses import OutputLoss
from dqc_plugin.pipeline.processes import ALONE, Processes
from dqc_plugin.pipeline.reporter import Reporter
from dqc_plugin.schedule import Schedule, TrainSettings, build_model

_EVALUATION_BATCH = 500
Metric = Callable[[nn.Module, Iterable[Batch]], float]


class TrainingData(Protocol):
    """Batches whose order is a pure function of seed and epoch, so that a resumed run repeats them."""

    def __len__(self) -> int:
        """Steps an epoch."""

    def epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch."""


@dataclass(frozen=True)
class Context:
    """What all stages of a run share.

    make_model: a new, equally initialised network at each call, on the device.
    training_data: for a batch size, the batches to train on.
    evaluation: what the metric is measured on.
    """

    schedule: Schedule
    folder: RunFolder
    device: torch.device
    make_model: Callable[[], nn.Module]
    training_data: Callable[[int], TrainingData]
    evaluation: Iterable[Batch]
    loss: OutputLoss | None
    metric: Metric
    reporter: Reporter
    processes: Processes = ALONE

    def optimizer_steps(self, settings: TrainSettings) -> int:
        """Optimizer steps an epoch of a stage."""
        return -(-len(self.training_data(settings.batch_size)) // settings.accumulate_batches)

    def placed(self, inputs: Tensor) -> Tensor:
        """Inputs on the device, in the memory format of the schedule."""
        inputs = inputs.to(self.device)
        is_image = self.schedule.channels_last and inputs.dim() == 4
        return inputs.contiguous(memory_format=torch.channels_last) if is_image else inputs


class LoaderData:
    """A user's own loader; torch is seeded before each epoch, which fixes the order of torch's own loaders."""

    def __init__(self, loader: Iterable[Batch]) -> None:
        if not hasattr(loader, "__len__"):
            raise ConfigError("train_loader needs a length (steps an epoch), as torch's DataLoader has")
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        torch.manual_seed(seed * 1_000_003 + epoch)
        return iter(self.loader)


def pick_device(schedule: Schedule) -> torch.device:
    """The device that the schedule names; ``auto`` is a GPU if there is one, of torchrun's processes each its own."""
    if schedule.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("the schedule says device: cuda, but torch finds no GPU; use auto or cpu")
    cuda = schedule.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")


def model_factory(schedule: Schedule, model: nn.Module | None, device: torch.device) -> Callable[[], nn.Module]:
    """Copies of the user's model, or new ones as the schedule says, initialised by its seed."""
    if model is not None:
        pristine = copy.deepcopy(model)
        return lambda: place_network(copy.deepcopy(pristine), schedule, device)
    if schedule.model is None:
        raise ConfigError("no model: give one in the schedule (model: lenet5) or to run(..., model=...)")

    def build() -> nn.Module:
        torch.manual_seed(schedule.seed)
        return place_network(build_model(schedule), schedule, device)

    return build


def place_network(network: nn.Module, schedule: Schedule, device: torch.device) -> nn.Module:
    """The network on the device, in the memory format of the schedule."""
    memory_format = torch.channels_last if schedule.channels_last else torch.preserve_format
    return network.to(device=device, memory_format=memory_format)  # type: ignore[no-any-return, call-overload]


def schedule_data(schedule: Schedule, device: torch.device) -> tuple[Callable[[int], TrainingData], Iterable[Batch]]:
    """Training batches by batch size, and what to evaluate on, from the schedule's data."""
    spec = schedule.data
    if spec is None:
        raise ConfigError("no data: give it in the schedule (data: mnist) or to run(train_loader=..., eval_loader=...)")
    data = load_data(spec.name, **spec.arguments).to(device)
    train, held_out = data.train, None
    if spec.validation:
        train, held_out = split_validation(data, spec.validation, schedule.seed)
    part = held_out if spec.evaluate_on == "validation" and held_out is not None else data.test
    return lambda size: data.batches(train, size, spec.augment), data.batches(part, _EVALUATION_BATCH)
