"""CIFAR ResNets, depth 6n + 2 (He et al. 2016, section 4.2), with the paper's shortcut and the two usual ones."""

from __future__ import annotations

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from dqc_plugin.errors import ConfigError, did_you_mean
from dqc_plugin.models.checks import require_positive

Shortcut = Literal["paper", "identity", "conv1x1"]
SHORTCUTS: tuple[str, ...] = get_args(Shortcut)


class PadShortcut(nn.Module):
    """Option A of He et al.: every second pixel, new channels zero; (N, C, H, W) -> (N, C + new, H/2, W/2)."""

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.new_channels = new_channels

    def forward(self, features: Tensor) -> Tensor:
        before = self.new_channels // 2
        return F.pad(features[:, :, ::2, ::2], (0, 0, 0, 0, before, self.new_channels - before))


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm beside a shortcut; new channels come with a stride of 2."""

    def __init__(self, in_channels: int, channels: int, shortcut: Shortcut) -> None:
        super().__init__()
        stride = 1 if in_channels == channels else 2
        self.conv1 = _conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, bias=shortcut == "paper")
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity() if stride == 1 else _shortcut(in_channels, channels, shortcut)

    def forward(self, features: Tensor) -> Tensor:
        residual = F.relu(self.bn1(self.conv1(features)))
        return F.relu(self.bn2(self.conv2(residual)) + self.shortcut(features))


class ResNet(nn.Module):
    """conv1, three stages layer1..layer3 of n blocks, global average, fc; (N, in_channels, H, W) -> (N, classes)."""

    def __init__(self, blocks: int, in_channels: int, classes: int, shortcut: Shortcut, width: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(blocks, width, width, shortcut)
        self.layer2 = _stage(blocks, width, 2 * width, shortcut)
        self.layer3 = _stage(blocks, 2 * width, 4 * width, shortcut)
        self.fc = nn.Linear(4 * width, classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        features = F.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.fc(features.mean((2, 3)))
        return logits


def resnet20(classes: int = 10, shortcut: Shortcut = "paper", width: int = 16, in_channels: int = 3) -> ResNet:
    """ResNet-20 (n = 3); see :func:`build_resnet` for the arguments and parameter counts."""
    return build_resnet(20, classes, shortcut, width, in_channels)


def resnet32(classes: int = 10, shortcut: Shortcut = "paper", width: int = 16, in_channels: int = 3) -> ResNet:
    """ResNet-32 (n = 5); see :func:`build_resnet`."""
    return build_resnet(32, classes, shortcut, width, in_channels)


def resnet44(classes: int = 10, shortcut: Shortcut = "paper", width: int = 16, in_channels: int = 3) -> ResNet:
    """ResNet-44 (n = 7); see :func:`build_resnet`."""
    return build_resnet(44, classes, shortcut, width, in_channels)


def resnet56(classes: int = 10, shortcut: Shortcut = "paper", width: int = 16, in_channels: int = 3) -> ResNet:
    """ResNet-56 (n = 9); see :func:`build_resnet`."""
    return build_resnet(56, classes, shortcut, width, in_channels)


def build_resnet(depth: int, classes: int, shortcut: Shortcut, width: int, in_channels: int) -> ResNet:
    """The CIFAR ResNet of depth 6n + 2 with stages of width, 2 width and 4 width channels, for images of any size.

    shortcut: where the channels double,
        "paper": a 3x3 stride-2 convolution without batch norm; the second convolution of *every* block has a bias.
            ResNet-20: 269,722 + 23,040 (shortcuts: 9 * (16 * 32 + 32 * 64)) + 336 (biases: 3 * (16 + 32 + 64))
            = 293,098 parameters, as in the authors' code;
        "identity": option A of He et al., no parameters (ResNet-20: 269,722);
        "conv1x1": option B, a 1x1 stride-2 convolution with batch norm (ResNet-20: 272,474).
    Raises ConfigError for an unknown shortcut or a size below 1.
    """
    name = f"resnet{depth}"
    require_positive(name, classes=classes, width=width, in_channels=in_channels)
    if shortcut not in SHORTCUTS:
        raise ConfigError(f"{name}: unknown shortcut {shortcut!r}{did_you_mean(str(shortcut), SHORTCUTS)}")
    return ResNet((depth - 2) // 6, in_channels, classes, shortcut, width)


def _conv3x3(in_channels: int, channels: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=bias)


def _shortcut(in_channels: int, channels: int, kind: Shortcut) -> nn.Module:
    if kind == "paper":
        return _conv3x3(in_channels, channels, stride=2)
    if kind == "conv1x1":
        return nn.Sequential(nn.Conv2d(in_channels, channels, 1, 2, bias=False), nn.BatchNorm2d(channels))
    return PadShortcut(channels - in_channels)


def _stage(blocks: int, in_channels: int, channels: int, shortcut: Shortcut) -> nn.Sequential:
    first = Block(in_channels, channels, shortcut)
    return nn.Sequential(first, *(Block(channels, channels, shortcut) for _ in range(blocks - 1)))


def _initialise(model: nn.Module) -> None:
    """He initialisation (He et al. 2015): weights normal with variance 2 / fan_in (1 / fan_in for fc), biases zero."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu" if isinstance(module, nn.Conv2d) else "linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
