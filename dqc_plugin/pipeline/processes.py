"""The processes that train one network together, as torchrun starts them; one alone is the plain case."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Processes:
    """This process, ``rank`` of ``count``. The first one leads: it alone evaluates and writes."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier()

    def part(self, batch: Batch) -> tuple[Batch, float]:
        """This process's samples of a batch, and the weight of its mean loss in the mean over all processes.

        The weighted mean over processes is the mean over the batch. A batch with fewer samples than processes goes
        whole to each.
        """
        inputs, targets = batch
        total = len(targets)
        if self.count == 1 or total < self.count:
            return batch, 1.0
        own = slice(self.rank, None, self.count)
        return (inputs[own], targets[own]), len(targets[own]) * self.count / total

    def parallel(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model for the training step: gradients become means over the processes."""
        if self.count == 1:
            return model
        return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a scalar over the processes."""
        if self.count > 1:
            dist.all_reduce(value)
            value /= self.count
        return value


ALONE = Processes()


def without_exchange(forward: nn.Module) -> AbstractContextManager[None]:
    """Gradients stay in their process, for all but the last batch of an optimizer step."""
    return forward.no_sync() if isinstance(forward, DistributedDataParallel) else nullcontext()


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes of torchrun, or this one alone; a group that the caller has made is used and left as it is."""
    if dist.is_available() and dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size())
    elif int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
    else:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield Processes(dist.get_rank(), dist.get_world_size())
        finally:
            dist.destroy_process_group()
