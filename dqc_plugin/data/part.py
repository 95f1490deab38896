"""Images and their labels, the unit that data sets and loaders are made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """images: (N, C, H, W), or (N, F) features; uint8 or float32. labels: (N,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Part:
        """The images at these positions, an int64 tensor."""
        return Part(self.images.index_select(0, index), self.labels.index_select(0, index))

    def to(self, device: torch.device | str) -> Part:
        """The same part kept on a device."""
        return Part(self.images.to(device), self.labels.to(device))
