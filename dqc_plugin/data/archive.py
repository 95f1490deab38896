"""Data sets in .npz files: arrays x_train, y_train, x_test and y_test."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor

from dqc_plugin.data.arrays import NAMES, channels_first, dataset_from_arrays
from dqc_plugin.data.dataset import DataSet
from dqc_plugin.errors import ConfigError

_UNREADABLE = (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def npz(path: str | Path, classes: int | None = None) -> DataSet:
    """The data set in an .npz file; nothing in it is unpickled.

    x_train, x_test: images (N, H, W) or (N, H, W, C), or features (N, F); uint8 or float.
    y_train, y_test: integer labels (N,) or (N, 1) from 0; classes: their number if y_train lacks the last ones.
    Raises ConfigError that names the file and the array.
    """
    return dataset_from_arrays(str(path), read_arrays(path), classes)


def read_arrays(path: str | Path) -> dict[str, Tensor]:
    """The four arrays of an .npz file as tensors, images with the channels first; ConfigError if they are not there."""
    try:
        archive = np.load(Path(path).expanduser(), allow_pickle=False)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; it must be an .npz with the arrays {', '.join(NAMES)}") from error
    except _UNREADABLE as error:
        raise ConfigError(f"{path}: not a readable .npz file ({error})") from error
    if not isinstance(archive, NpzFile):
        raise ConfigError(f"{path}: holds a single array; save the four with numpy.savez(path, x_train=..., ...)")
    with archive:
        missing = [name for name in NAMES if name not in archive]
        if missing:
            raise ConfigError(f"{path}: no array {', '.join(missing)}; it holds {', '.join(archive) or 'nothing'}")
        return {name: _tensor(archive, name, f"{path}: {name}") for name in NAMES}


def _tensor(archive: NpzFile, name: str, full_name: str) -> Tensor:
    try:
        array = archive[name]
    except _UNREADABLE as error:
        raise ConfigError(f"{full_name}: cannot be read ({error})") from error
    try:
        tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except TypeError as error:
        raise ConfigError(
            f"{full_name}: dtype {array.dtype} cannot be used; images uint8 or float, labels int"
        ) from error
    return channels_first(tensor, full_name) if name.startswith("x_") else tensor
