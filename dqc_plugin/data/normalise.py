"""Mean and standard deviation per channel, and the normalisation of images with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_CHUNK = 256  # images; the float64 copies then stay in the cache
_CONSTANT = 1e-6


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, std) per channel of images (N, C, ...), uint8 as fractions of 255; a constant channel has std 1."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for chunk in torch.split(images, _CHUNK):
        values = (chunk.double() / full_scale(images)).transpose(0, 1).flatten(1)
        count += values.shape[1]
        total = total + values.sum(1)
        squares = squares + values.square().sum(1)
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt()
    std = torch.where(std > _CONSTANT * mean.abs().clamp_min(_CONSTANT), std, 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())


def full_scale(images: Tensor) -> float:
    """The value that counts as 1: 255 for uint8 images."""
    return 255.0 if images.dtype == torch.uint8 else 1.0


class Normalise:
    """(image / full scale - mean) / std per channel, as one multiplication and one addition: (N, C, ...) -> float32."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], like: Tensor) -> None:
        shape = (-1, *(1 for _ in like.shape[2:]))
        spread = torch.tensor(std, dtype=torch.float64).view(shape)
        self._scale = (1 / (spread * full_scale(like))).to(like.device, torch.float32)
        self._offset = (-torch.tensor(mean, dtype=torch.float64).view(shape) / spread).to(like.device, torch.float32)

    def __call__(self, images: Tensor) -> Tensor:
        return (images * self._scale).add_(self._offset)
