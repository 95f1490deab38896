"""What a user's data factory may return, made a data set."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dqc_plugin.data.arrays import NAMES, dataset_from_arrays
from dqc_plugin.data.dataset import DataSet
from dqc_plugin.errors import ConfigError

_READ_AT_ONCE = 1024


def as_dataset(data: Any, source: str = "data") -> DataSet:
    """A :class:`DataSet`, or a pair (train, test) of pairs (images, labels) or of torch Datasets, as a checked DataSet.

    Images are tensors (N, C, H, W), (N, H, W) or (N, F), uint8 or float; labels (N,) integers. A torch Dataset is read
    once and kept in memory, so random transforms in it are drawn once: use an augmentation instead. Mean and std
    are those of the training images unless a DataSet states them. Raises ConfigError that names the source.
    """
    if isinstance(data, DataSet):
        tensors = (data.train.images, data.train.labels, data.test.images, data.test.labels)
        arrays = dict(zip(NAMES, tensors, strict=True))
        return dataset_from_arrays(source, arrays, data.classes, (tuple(data.mean), tuple(data.std)))
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ConfigError(f"{source}: gave {_what(data)}; give a DataSet or a pair (train, test)")
    tensors = (*_pair(data[0], f"{source}, train"), *_pair(data[1], f"{source}, test"))
    return dataset_from_arrays(source, dict(zip(NAMES, tensors, strict=True)))


def _pair(part: Any, source: str) -> tuple[Tensor, Tensor]:
    if isinstance(part, Dataset):
        return _read(part, source)
    if isinstance(part, (tuple, list)) and len(part) == 2:
        try:
            return torch.as_tensor(part[0]), torch.as_tensor(part[1])
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(f"{source}: images and labels cannot be made tensors ({error})") from error
    raise ConfigError(f"{source}: is {_what(part)}; give a pair of tensors (images, labels) or a torch Dataset")


def _read(dataset: Dataset[Any], source: str) -> tuple[Tensor, Tensor]:
    try:
        own_generator = torch.Generator()  # else the loader draws from the global one and a run changes
        batches = list(DataLoader(dataset, batch_size=_READ_AT_ONCE, generator=own_generator))
        images, labels = zip(*batches, strict=True)
        return torch.cat(images), torch.cat(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{source}: each item must be (image tensor, label), all images of one size ({error}); "
            "for PIL images add torchvision.transforms.ToTensor()"
        ) from error


def _what(data: Any) -> str:
    kind = type(data).__name__
    return f"a {kind} of {len(data)}" if isinstance(data, (tuple, list)) else f"a {kind}"
