"""A small network with NNI's evaluator around a plain training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nni
import pytest
import torch
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

Network = Callable[[], nn.Sequential]


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 1, 8, 8, generator=generator), torch.randint(0, 10, (64,), generator=generator)


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))


@pytest.fixture
def make_evaluator(batch: tuple[Tensor, Tensor]) -> Callable[[nn.Module], TorchEvaluator]:
    """For a model, an evaluator that trains on one batch, two steps an epoch."""

    def training_func(model: nn.Module, optimizer: Any, step: Any, *_: Any) -> None:
        max_steps, max_epochs = _[-2:]
        for _step in range(max_steps or 2 * max_epochs):
            loss = step(batch, model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def make(model: nn.Module) -> TorchEvaluator:
        optimizer = nni.trace(torch.optim.SGD)(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        return TorchEvaluator(training_func, optimizer, lambda b, m: nn.functional.cross_entropy(m(b[0]), b[1]))

    return make
