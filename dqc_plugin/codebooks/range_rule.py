"""Where a power-of-two codebook ends: the largest exponent, from the weights."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from dqc_plugin.codebooks.float_bits import floor_power_of_two
from dqc_plugin.codebooks.power_of_two import PowerOfTwo
from dqc_plugin.errors import WeightError

RangeRule = Literal["max", "mse"]
_STEPS_BELOW_MAX = 3
_WORTH_A_CHANGE = 0.95  # of the error that the present codebook has


@torch.no_grad()
def fit_power_of_two(
    weights: Tensor,
    bits: int,
    zero: bool,
    *,
    mask: Tensor | None = None,
    per_channel: bool = False,
    range_rule: RangeRule = "max",
    present_scale: Tensor | None = None,
) -> PowerOfTwo:
    """The codebook of weights of any shape; weights whose mask is 0 do not count.

    range_rule: ``max`` takes n2 = floor(log2(max |w|)) (the paper); ``mse`` takes that n2 or one of the three below
        it, whichever gives the least squared error.
    per_channel: one codebook for each index of dimension 0.
    present_scale: with ``mse``, the scale that weights in training have now. It is left only for an error 5 % less
        (root of the sum of squares): where two scales are as good as each other, all codewords of a layer would
        double and halve again from step to step.

    A weight that is NaN or infinite shows as an infinite scale: see :func:`require_finite`.
    """
    codebook = PowerOfTwo(bits, zero, floor_power_of_two(_largest_magnitude(weights, mask, per_channel)))
    if range_rule == "max" or not weights.numel():
        return codebook
    return _least_squares(weights, codebook, mask, present_scale)


def require_finite(codebook: PowerOfTwo, name: str) -> None:
    """Raise WeightError, with the layer's name, if the codebook came from NaN or infinity (one look at the device)."""
    scale = codebook.scale
    if scale.numel() and not math.isfinite(float(scale.max() if scale.dim() else scale)):
        raise WeightError(
            f"{name} holds NaN or infinity: it cannot be quantized; lower the learning rate or look at the data"
        )


def _largest_magnitude(weights: Tensor, mask: Tensor | None, per_channel: bool) -> Tensor:
    if mask is not None:
        weights = weights * mask
    by_channel = per_channel and weights.dim() > 0
    if not weights.numel():
        return weights.new_zeros(len(weights) if by_channel else ())
    # many times faster than a norm, and without the temporary of abs()
    low, high = torch.aminmax(weights.reshape(len(weights), -1), dim=1) if by_channel else torch.aminmax(weights)
    return torch.maximum(high, -low)


def _least_squares(
    weights: Tensor, largest: PowerOfTwo, mask: Tensor | None, present_scale: Tensor | None
) -> PowerOfTwo:
    best_scale, best_error = largest.scale, torch.full_like(largest.scale, math.inf)
    for step in range(_STEPS_BELOW_MAX + 1):
        candidate = PowerOfTwo(largest.bits, largest.zero, largest.scale * 0.5**step)
        error = _squared_error(weights, candidate, mask)
        if present_scale is not None:
            error = torch.where(candidate.scale == present_scale, _WORTH_A_CHANGE * error, error)
        better = error < best_error
        best_scale = torch.where(better, candidate.scale, best_scale)
        best_error = torch.where(better, error, best_error)
    return PowerOfTwo(largest.bits, largest.zero, best_scale)


def _squared_error(weights: Tensor, codebook: PowerOfTwo, mask: Tensor | None) -> Tensor:
    difference = codebook.quantize(weights, mask).sub_(weights)
    if mask is not None:
        difference.mul_(mask)
    rows = difference.reshape(len(codebook.scale), -1) if codebook.scale.dim() else difference.reshape(-1)
    error: Tensor = torch.linalg.vector_norm(rows, dim=-1)
    return error
