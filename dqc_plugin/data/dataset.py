"""A data set in memory: images, labels and what a network and a loader must know about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from dqc_plugin.data.batches import Batches
from dqc_plugin.data.part import Part
from dqc_plugin.errors import ConfigError


@dataclass(frozen=True)
class DataSet:
    """Training and test images with their labels.

    classes: labels are 0 .. classes - 1.
    mean, std: one value a channel; a network gets (image - mean) / std, uint8 images divided by 255 before.
    """

    train: Part
    test: Part
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        """Channels of an image, or features."""
        return self.train.images.shape[1]

    @property
    def image_size(self) -> int:
        """Pixels a side; ConfigError if the images are not square."""
        sides = self.train.images.shape[2:]
        if len(sides) != 2 or sides[0] != sides[1]:
            raise ConfigError(f"the data are not square images but {tuple(sides)} a channel: no single image_size")
        return sides[0]

    def to(self, device: torch.device | str) -> DataSet:
        """The same data kept on a device."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))

    def batches(self, part: Part, batch_size: int, augmentation: str = "none", drop_last: bool = False) -> Batches:
        """A loader of one part (train, test or held out), normalised with the mean and std of this data set."""
        return Batches(part, self.mean, self.std, batch_size, augmentation, drop_last)
