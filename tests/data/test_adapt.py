"""What a user's factory may return."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from dqc_plugin.data.adapt import as_dataset
from dqc_plugin.data.digits import digits
from dqc_plugin.errors import ConfigError

TRAIN = torch.rand(1030, 2, 4, 4), torch.arange(1030) % 3
TEST = torch.rand(9, 2, 4, 4), torch.arange(9) % 3


class Numbers(Dataset):
    """Items as many users write them: a float image and a Python int."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], int(self.labels[index])


@pytest.mark.parametrize(
    "data",
    [
        (TRAIN, TEST),
        [list(TRAIN), list(TEST)],
        (tuple(map(np.asarray, TRAIN)), tuple(map(np.asarray, TEST))),
        (TensorDataset(*TRAIN), TensorDataset(*TEST)),
        (Numbers(*TRAIN), TEST),
    ],
    ids=["tensors", "lists", "numpy", "TensorDataset", "Dataset"],
)
def test_pairs_become_a_dataset(data):
    dataset = as_dataset(data)
    assert torch.equal(dataset.train.images, TRAIN[0])
    assert torch.equal(dataset.test.labels, TEST[1])
    assert dataset.classes == 3
    assert dataset.mean == pytest.approx(TRAIN[0].mean((0, 2, 3)).tolist(), abs=1e-6)


def test_reading_a_torch_dataset_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    as_dataset((TensorDataset(*TRAIN), TensorDataset(*TEST)))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_dataset_keeps_its_facts_and_is_checked():
    own = dataclasses.replace(digits(), classes=11, mean=(0.0,), std=(2.0,))
    found = as_dataset(own)
    assert (found.classes, found.mean, found.std) == (11, (0.0,), (2.0,))
    with pytest.raises(ConfigError, match="mine: y_train: label 9 is out of range"):
        as_dataset(dataclasses.replace(own, classes=9), "mine")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "mine: gave a NoneType; give a DataSet or a pair"),
        ((TRAIN, TEST, TEST), "mine: gave a tuple of 3"),
        ((TRAIN, TEST[0]), "mine, test: is a Tensor; give a pair of tensors"),
        ((TRAIN, (TEST[0], ["a"])), "mine, test: images and labels cannot be made tensors"),
        ((Numbers([object()], [0]), TEST), "mine, train: each item must be .image tensor, label.*ToTensor"),
        ((TensorDataset(TRAIN[0]), TEST), "mine, train: each item must be"),
        ((Numbers([torch.rand(1, 2), torch.rand(1, 3)], [0, 1]), TEST), "mine, train: .*all images of one size"),
        ((TRAIN, (TEST[0], TEST[1] + 1)), "mine: y_test: label 3 is out of range"),
    ],
)
def test_anything_else_is_an_error_that_names_the_factory(data, message):
    with pytest.raises(ConfigError, match=message):
        as_dataset(data, "mine")
