"""Networks of the paper: LeNet-300-100, LeNet-5 and the CIFAR ResNets; each is a factory that gives a fresh module."""

from __future__ import annotations

from dqc_plugin.models.lenet import lenet5, lenet300
from dqc_plugin.models.resnet import resnet20, resnet32, resnet44, resnet56

__all__ = ["lenet5", "lenet300", "resnet20", "resnet32", "resnet44", "resnet56"]
