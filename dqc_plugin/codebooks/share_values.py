"""Weights that are looked up in a table of trained centroids (Han et al. 2016, section 3.3)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from dqc_plugin.codebooks.codebook import look_up

CentroidGradient = Literal["sum", "mean"]
_AT_ONCE = 1 << 22


def share_values(
    centroids: Tensor, indices: Tensor, mask: Tensor | None = None, gradient: CentroidGradient | None = "sum"
) -> Tensor:
    """The centroid of each weight, dtype of the centroids (K,), shape of the indices (uint8); +0.0 where the mask is 0.

    gradient: a centroid's is the ``sum`` of its kept members' gradients (the paper) or their ``mean``; None is none.
    """
    shared: Tensor = _ShareValues.apply(centroids, indices, mask, gradient)
    return shared


class _ShareValues(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, centroids: Tensor, indices: Tensor, mask: Tensor | None, gradient: CentroidGradient | None
    ) -> Tensor:
        ctx.save_for_backward(indices, mask)
        ctx.size, ctx.gradient = len(centroids), gradient
        shared = look_up(centroids + 0.0, indices)  # no -0.0
        return shared if mask is None else shared.masked_fill_(mask == 0, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.gradient is None:
            return None, None, None, None
        indices, mask = ctx.saved_tensors
        members = gradients[0] if mask is None else gradients[0] * mask
        total = _sums(indices, members, ctx.size)
        if ctx.gradient == "mean":
            kept = torch.ones_like(members) if mask is None else mask != 0
            total = total / _sums(indices, kept, ctx.size).clamp(min=1)
        return total.to(gradients[0].dtype), None, None, None


def _sums(indices: Tensor, values: Tensor, size: int) -> Tensor:
    """For each index the sum of its values, (size,) float64; the wide copies are of a part at a time."""
    parts = zip(torch.split(indices.reshape(-1), _AT_ONCE), torch.split(values.reshape(-1), _AT_ONCE), strict=True)
    total = torch.zeros(size, dtype=torch.float64, device=values.device)
    for places, part in parts:
        total += torch.bincount(places, part.double(), minlength=size)
    return total
