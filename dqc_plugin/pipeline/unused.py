"""Parameters that no output depends on: what feeds a unit that pruning has cut off, or one that never fires."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from dqc_plugin.pipeline.evaluate import Batch


def zero_unused(weights: dict[str, Tensor], model: nn.Module, batches: Iterable[Batch]) -> dict[str, Tensor]:
    """The weights, with zero for each that had a gradient of exactly zero in all batches.

    model: with these weights, on its device. The gradient is that of a random sum of the outputs, which no saturated
    loss hides. The outputs for these batches stay the same where units are cut off or rectified.
    """
    used = _used(model, batches)
    return {
        name: value.where(used[name].to(value.device), torch.zeros_like(value)) if name in used else value
        for name, value in weights.items()
    }


def _used(model: nn.Module, batches: Iterable[Batch]) -> dict[str, Tensor]:
    model.eval().requires_grad_(True)
    parameters = dict(model.named_parameters())
    device = next(iter(parameters.values())).device
    used = {name: torch.zeros_like(value, dtype=torch.bool) for name, value in parameters.items()}
    generator = torch.Generator().manual_seed(0)
    for inputs, _ in batches:
        outputs: Tensor = model(inputs.to(device))
        outputs.backward(torch.randn(outputs.shape, generator=generator).to(outputs))  # type: ignore[no-untyped-call]
        for name, value in parameters.items():
            if value.grad is not None:
                used[name] |= value.grad != 0
                value.grad = None
    return used
