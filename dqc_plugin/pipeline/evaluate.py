"""Accuracy and predictions of a network on a part of the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]


@torch.no_grad()
def accuracy(model: nn.Module, batches: Iterable[Batch]) -> float:
    """The fraction of examples whose largest output is that of their label, 0 to 1."""
    right = total = 0
    with _evaluating(model):
        for inputs, labels in _on_device_of(model, batches):
            right += int((model(inputs).argmax(1) == labels).sum())
            total += len(labels)
    return right / max(total, 1)


@torch.no_grad()
def same_outputs(one: nn.Module, other: nn.Module, batches: Iterable[Batch]) -> bool:
    """True if two networks give equal outputs, bit for bit, on every example."""
    with _evaluating(one), _evaluating(other):
        return all(torch.equal(one(inputs), other(inputs)) for inputs, _ in _on_device_of(one, batches))


def _on_device_of(model: nn.Module, batches: Iterable[Batch]) -> Iterator[Batch]:
    device = next(model.parameters()).device
    return ((inputs.to(device), labels.to(device)) for inputs, labels in batches)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    yield
    model.train(training)
