"""Fake quantization: codewords forward, a straight-through gradient backward."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from dqc_plugin.codebooks.power_of_two import PowerOfTwo

Gradient = Literal["straight_through", "magnitude"]


def fake_quantize(
    weights: Tensor, codebook: PowerOfTwo, mask: Tensor | None = None, gradient: Gradient = "straight_through"
) -> Tensor:
    """The codewords of latent weights, shape and dtype of the weights, with a gradient to them.

    mask: 1 keeps a weight, 0 gives exactly 0.0 and no gradient.
    gradient: ``straight_through`` passes dL/dq on; ``magnitude`` multiplies it by |q| as the authors' code does
        (q = sign(w) * stop_gradient(|q|), sign's gradient the identity): a weight at the zero codeword gets none.
    """
    quantized: Tensor = _FakeQuantize.apply(
        weights, codebook.scale, mask, codebook.bits, codebook.zero, gradient == "magnitude"
    )
    return quantized


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, scale: Tensor, mask: Tensor | None, bits: int, zero: bool, by_magnitude: bool
    ) -> Tensor:
        quantized = PowerOfTwo(bits, zero, scale).quantize(weights, mask)
        ctx.save_for_backward(quantized if by_magnitude else None, mask)
        return quantized

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0]
        quantized, mask = ctx.saved_tensors
        if quantized is not None:
            gradient = gradient * quantized.abs()
        elif mask is not None:
            gradient = gradient * mask
        return gradient, None, None, None, None, None


def straight_through(latent: Tensor, quantized: Tensor) -> Tensor:
    """The quantized values, bit for bit, with dL/dlatent = dL/dq; both of one shape."""
    result: Tensor = _StraightThrough.apply(latent, quantized)
    return result


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, latent: Tensor, quantized: Tensor) -> Tensor:
        return quantized.view_as(quantized)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return gradients[0], None
