"""The digits that come with scikit-learn: no download, a run in seconds."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from dqc_plugin.data.arrays import dataset_from_arrays
from dqc_plugin.data.dataset import DataSet
from dqc_plugin.data.split import stratified

_TEST_IMAGES = 360
_SPLIT_SEED = 0


def digits() -> DataSet:
    """1,797 handwritten digits of 8x8 pixels, float32 0 to 1: 1,437 for training and 360 for the test.

    UCI's "Optical Recognition of Handwritten Digits", its test part. It has no split of its own: ours is stratified by
    class with a constant seed, whatever the seed of a run, so that accuracies of different runs can be compared.
    """
    loaded = load_digits()
    images = torch.from_numpy(loaded.images / 16)
    labels = torch.from_numpy(loaded.target)
    train, test = stratified(labels, _TEST_IMAGES, _SPLIT_SEED)
    parts = {"x_train": images[train], "y_train": labels[train], "x_test": images[test], "y_test": labels[test]}
    return dataset_from_arrays("digits", parts, classes=10)
