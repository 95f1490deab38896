"""Batch norm's running statistics, made anew for weights that no longer change."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


@torch.no_grad()
def estimate_batch_norm(model: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Replace running means and variances by their plain averages over batches of inputs; leaves the model in eval.

    While the weights trained, the statistics followed them with a delay, and those of codewords jump.
    """
    layers = [module for module in model.modules() if isinstance(module, _NormBase) and module.track_running_stats]
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's word for a plain average
        layer.train()
    for batch in inputs:
        model(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.eval()
