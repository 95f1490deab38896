"""MNIST and CIFAR-10, from .npz files in the folder DQC_DATA or through torchvision's download."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dqc_plugin.data.archive import read_arrays
from dqc_plugin.data.arrays import NAMES, Statistics, channels_first, dataset_from_arrays
from dqc_plugin.data.dataset import DataSet
from dqc_plugin.errors import ConfigError, RunError

_MNIST: Statistics = ((0.1307,), (0.3081,))
_CIFAR10: Statistics = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def mnist() -> DataSet:
    """MNIST: 60,000 + 10,000 uint8 images 1x28x28.

    From mnist.npz in the folder that the environment variable DQC_DATA names, if it is set; else downloaded once by
    torchvision into dqc-plugin under XDG_CACHE_HOME (~/.cache). ConfigError if the file or torchvision is missing or
    the file is wrong; RunError if the download fails.
    """
    return dataset_from_arrays("mnist", _arrays("mnist", "MNIST"), classes=10, statistics=_MNIST)


def cifar10() -> DataSet:
    """CIFAR-10: 50,000 + 10,000 uint8 images 3x32x32; from the same places as :func:`mnist`, file cifar10.npz."""
    return dataset_from_arrays("cifar10", _arrays("cifar10", "CIFAR10"), classes=10, statistics=_CIFAR10)


def _arrays(name: str, torchvision_name: str) -> dict[str, Tensor]:
    folder = os.environ.get("DQC_DATA")
    if folder:
        return read_arrays(Path(folder) / f"{name}.npz")
    factory = _torchvision_dataset(name, torchvision_name)
    arrays: dict[str, Tensor] = {}
    for part in ("train", "test"):
        loaded = _downloaded(name, factory, train=part == "train")
        arrays[f"x_{part}"] = channels_first(torch.as_tensor(loaded.data), f"{name}: x_{part}")
        arrays[f"y_{part}"] = torch.as_tensor(loaded.targets)
    return arrays


def _torchvision_dataset(name: str, torchvision_name: str) -> Any:
    try:
        return getattr(importlib.import_module("torchvision.datasets"), torchvision_name)
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision of another torch release
        raise ConfigError(
            f"{name}: torchvision cannot be imported ({error}); pip install 'dqc-plugin[vision]', or {_advice(name)}"
        ) from error


def _downloaded(name: str, factory: Any, train: bool) -> Any:
    try:
        return factory(root=str(_cache()), train=train, download=True)
    except (OSError, RuntimeError) as error:
        raise RunError(
            f"{name}: the download into {_cache()} failed ({error}); try again, or {_advice(name)}"
        ) from error


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dqc-plugin"


def _advice(name: str) -> str:
    return f"set DQC_DATA to a folder with {name}.npz that holds {', '.join(NAMES)} (uint8, images NHW or NHWC)"
