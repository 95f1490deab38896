"""Four tensors, x_train, y_train, x_test and y_test, checked and made a data set."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dqc_plugin.data.dataset import DataSet
from dqc_plugin.data.normalise import channel_statistics
from dqc_plugin.data.part import Part
from dqc_plugin.errors import ConfigError

NAMES = ("x_train", "y_train", "x_test", "y_test")
Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def dataset_from_arrays(
    source: str, arrays: Mapping[str, Tensor], classes: int | None = None, statistics: Statistics | None = None
) -> DataSet:
    """The data set of four tensors; source is what messages call it (a file, a factory).

    x: (N, C, H, W), (N, H, W) or (N, F), uint8 or float; y: (N,) or (N, 1), integers.
    classes: the largest label of y_train plus one, unless given.
    statistics: mean and std per channel, those of x_train unless given.
    Raises ConfigError that names source and tensor.
    """
    train, test = (_part(source, part, arrays) for part in ("train", "test"))
    if train.images.shape[1:] != test.images.shape[1:]:
        shapes = f"{tuple(train.images.shape)} and {tuple(test.images.shape)}"
        raise ConfigError(f"{source}: x_train and x_test must be alike but for their number, not {shapes}")
    classes = int(train.labels.max()) + 1 if classes is None else classes
    if isinstance(classes, bool) or not isinstance(classes, int):
        raise ConfigError(f"{source}: classes must be a whole number, not {classes!r}")
    for name, part in (("y_train", train), ("y_test", test)):
        _check_range(f"{source}: {name}", part.labels, classes)
    mean, std = channel_statistics(train.images) if statistics is None else statistics
    _check_statistics(source, train, mean, std)
    return DataSet(train, test, classes, mean, std)


def channels_first(images: Tensor, name: str) -> Tensor:
    """NHWC -> NCHW; all else as it is. ConfigError if the images look like NCHW already."""
    if images.ndim != 4:
        return images
    if images.shape[1] in (1, 3) and images.shape[2] == images.shape[3] > 4:
        raise ConfigError(f"{name}: shape {tuple(images.shape)} looks like NCHW; store the images as NHW or NHWC")
    return images.permute(0, 3, 1, 2).contiguous()


def _part(source: str, part: str, arrays: Mapping[str, Tensor]) -> Part:
    images = _images(arrays[f"x_{part}"], f"{source}: x_{part}")
    labels = _labels(arrays[f"y_{part}"], f"{source}: y_{part}")
    if len(images) != len(labels):
        raise ConfigError(f"{source}: x_{part} has {len(images)} images but y_{part} has {len(labels)} labels")
    return Part(images, labels)


def _images(images: Tensor, name: str) -> Tensor:
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ConfigError(f"{name}: images must be uint8 or float, not {images.dtype}")
    if not 2 <= images.ndim <= 4 or images.numel() == 0:
        raise ConfigError(
            f"{name}: images must be of shape (N, C, H, W), (N, H, W) or (N, F), not {tuple(images.shape)}"
        )
    if images.is_floating_point():
        images = images.to(torch.float32)
        _check_finite(images, name)
    return images[:, None] if images.ndim == 3 else images


def _check_finite(images: Tensor, name: str) -> None:
    bad = ~torch.isfinite(images).flatten(1).all(1)
    if bad.any():
        raise ConfigError(
            f"{name}: NaN or infinity in {int(bad.sum())} images, the first is number {int(bad.int().argmax())}"
        )


def _labels(labels: Tensor, name: str) -> Tensor:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ConfigError(f"{name}: labels must be integers, not {labels.dtype}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ConfigError(f"{name}: labels must be of shape (N,), not {tuple(labels.shape)}")
    return labels.to(torch.int64)


def _check_range(name: str, labels: Tensor, classes: int) -> None:
    least, largest = int(labels.min()), int(labels.max())
    if least < 0 or largest >= classes:
        wrong = least if least < 0 else largest
        raise ConfigError(f"{name}: label {wrong} is out of range, {classes} classes have labels 0 to {classes - 1}")


def _check_statistics(source: str, train: Part, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    channels = train.images.shape[1]
    if len(mean) != channels or len(std) != channels:
        raise ConfigError(f"{source}: {channels} channels need as many means and stds, not {len(mean)} and {len(std)}")
    if min(std) <= 0:
        raise ConfigError(f"{source}: every std must be above 0, not {min(std)}")
