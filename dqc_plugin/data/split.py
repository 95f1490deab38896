"""Stratified parts held out of a data set by seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from dqc_plugin.data.dataset import DataSet
from dqc_plugin.data.part import Part
from dqc_plugin.errors import ConfigError


def split_validation(dataset: DataSet, validation: int | float, seed: int) -> tuple[Part, Part]:
    """(train, validation): a part held out of the training images, every class in the same proportion.

    validation: a number of images (int) or a fraction of the training images (float below 1); 0 holds out nothing.
    The same seed holds out the same images; both parts keep the order of the training images.
    Raises ConfigError if the number is out of range or too small for a stratified part.
    """
    count = _count(validation, len(dataset.train))
    if count == 0:
        return dataset.train, dataset.train[torch.empty(0, dtype=torch.int64, device=dataset.train.labels.device)]
    kept, held_out = stratified(dataset.train.labels, count, seed)
    return dataset.train[kept], dataset.train[held_out]


def stratified(labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(kept, held out): positions (ascending int64) of labels (N,); count of them held out in proportion by class."""
    positions = np.arange(len(labels))
    try:
        kept, held_out = train_test_split(positions, test_size=count, stratify=labels.cpu().numpy(), random_state=seed)
    except ValueError as error:
        raise ConfigError(f"cannot hold out {count} of {len(labels)} images by class, seed {seed}: {error}") from error
    return _ascending(kept).to(labels.device), _ascending(held_out).to(labels.device)


def _ascending(positions: npt.NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.sort(positions))


def _count(validation: int | float, images: int) -> int:
    if isinstance(validation, int) and not isinstance(validation, bool) and 0 <= validation < images:
        return validation
    if isinstance(validation, float) and 0 <= validation < 1:
        return max(round(validation * images), int(validation > 0))
    raise ConfigError(
        f"validation must be a number of images below {images} (int) or a fraction below 1 (float), not {validation!r}"
    )
