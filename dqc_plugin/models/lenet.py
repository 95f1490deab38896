"""LeNet-300-100 and LeNet-5 (Caffe's 20-50-500-10), the networks of Deep Compression's Tables 2 and 3."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dqc_plugin.errors import ConfigError
from dqc_plugin.models.checks import require_positive

_SMALLEST_IMAGE = 4
_SMALLEST_FOR_CAFFE = 16


class LeNet300(nn.Module):
    """LeNet-300-100: fc1, fc2, fc3 with ReLU between; (N, ...) with in_features values each -> (N, classes) logits."""

    def __init__(self, in_features: int, classes: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(in_features, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.fc1(torch.flatten(images, 1)))
        logits: Tensor = self.fc3(F.relu(self.fc2(hidden)))
        return logits


class LeNet5(nn.Module):
    """LeNet-5: conv1, pool, conv2, pool, fc1, ReLU, fc2; (N, in_channels, S, S) -> (N, classes) logits.

    As in Caffe there is no ReLU after the convolutions: max pooling is their nonlinearity.
    """

    def __init__(self, in_channels: int, image_size: int, classes: int) -> None:
        super().__init__()
        kernel, padding, pooled = _geometry(image_size)
        self.conv1 = nn.Conv2d(in_channels, 20, kernel, padding=padding)
        self.conv2 = nn.Conv2d(20, 50, kernel, padding=padding)
        self.fc1 = nn.Linear(50 * pooled * pooled, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = F.max_pool2d(self.conv1(images), 2)
        features = F.max_pool2d(self.conv2(features), 2)
        logits: Tensor = self.fc2(F.relu(self.fc1(torch.flatten(features, 1))))
        return logits


def lenet300(in_channels: int = 1, image_size: int = 28, classes: int = 10) -> LeNet300:
    """LeNet-300-100 for square images: 266,610 parameters at 1x28x28. ConfigError for sizes below 1."""
    require_positive("lenet300", in_channels=in_channels, image_size=image_size, classes=classes)
    return LeNet300(in_channels * image_size * image_size, classes)


def lenet5(in_channels: int = 1, image_size: int = 28, classes: int = 10) -> LeNet5:
    """Caffe's LeNet-5 for square images: 431,080 parameters at 1x28x28.

    Images below 16 pixels a side have no room for two 5x5 convolutions without padding: they get 3x3 convolutions
    with padding (8x8 digits: 114,760 parameters). ConfigError below 4 pixels.
    """
    require_positive("lenet5", in_channels=in_channels, image_size=image_size, classes=classes)
    if image_size < _SMALLEST_IMAGE:
        raise ConfigError(
            f"lenet5: image_size {image_size} is too small, two poolings by 2 need at least {_SMALLEST_IMAGE} pixels "
            "a side; enlarge the images or use lenet300"
        )
    return LeNet5(in_channels, image_size, classes)


def _geometry(image_size: int) -> tuple[int, int, int]:
    """(kernel, padding, side of the feature map after both poolings)."""
    if image_size < _SMALLEST_FOR_CAFFE:
        return 3, 1, image_size // 4
    return 5, 0, ((image_size - 4) // 2 - 4) // 2
