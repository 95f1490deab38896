"""Random shifts and flips of a whole batch in memory, as tensor operations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dqc_plugin.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Augmentation:
    """A crop at random from the image padded with zeros by shift_pixels a side, then a flip left to right or not."""

    shift_pixels: int
    flip: bool

    @property
    def is_none(self) -> bool:
        return self.shift_pixels == 0 and not self.flip

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """What happens to each of count images: (count, 3) int64 of rows and columns to shift, flip (0 or 1)."""
        shifts = torch.randint(0, 2 * self.shift_pixels + 1, (count, 2), generator=generator)
        flips = torch.randint(0, 2, (count, 1), generator=generator) * self.flip
        return torch.cat((shifts, flips), 1)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Images (N, C, H, W) -> the same shape and dtype; drawn: (N, 3) from :meth:`draw`."""
        if self.is_none:
            return images
        count, channels, height, width = images.shape
        rows = drawn[:, 0:1] + torch.arange(height, device=images.device)
        columns = torch.arange(width, device=images.device).expand(count, -1)
        columns = drawn[:, 1:2] + torch.where(drawn[:, 2:3] == 1, width - 1 - columns, columns)
        padded = F.pad(images, (self.shift_pixels,) * 4)
        # One gather for shift and flip: several times faster on a CPU than indexing strided windows.
        pixels = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).view(count, 1, height * width)
        return padded.flatten(2).gather(2, pixels.expand(-1, channels, -1)).view_as(images)


AUGMENTATIONS = {
    "none": Augmentation(shift_pixels=0, flip=False),
    "crop_flip": Augmentation(shift_pixels=4, flip=True),
    "shift": Augmentation(shift_pixels=2, flip=False),
}


def find_augmentation(name: str) -> Augmentation:
    """ "none", "crop_flip" (CIFAR: up to 4 pixels, flipped or not) or "shift" (MNIST: up to 2 pixels)."""
    if name not in AUGMENTATIONS:
        raise ConfigError(f"unknown augmentation {name!r}{did_you_mean(name, AUGMENTATIONS)}")
    return AUGMENTATIONS[name]
