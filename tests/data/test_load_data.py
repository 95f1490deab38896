"""Data sets by name."""

from __future__ import annotations

import pytest
import torch

from dqc_plugin.data import load_data
from dqc_plugin.errors import ConfigError, RegistryError
from dqc_plugin.registry import names

FACTORY = """
import torch

def noise(images, classes=2):
    pair = torch.rand(images, 1, 4, 4), torch.arange(images) % classes
    return pair, pair

wrong = 5
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "data_of_a_user.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    return "data_of_a_user"


def test_registered_names():
    assert set(names("data")) >= {"digits", "mnist", "cifar10"}
    assert load_data("digits").classes == 10


def test_an_npz_file_with_arguments(arrays, save_npz):
    dataset = load_data(str(save_npz(arrays(6, 6))), classes=11)
    assert (dataset.classes, dataset.image_size) == (11, 6)


def test_a_factory_of_the_user_with_arguments(module):
    dataset = load_data(f"{module}:noise", images=12, classes=3)
    assert (len(dataset.train), dataset.classes) == (12, 3)
    assert torch.equal(dataset.train.images, dataset.test.images)


def test_unknown_arguments_are_errors_that_show_the_right_ones(module):
    with pytest.raises(ConfigError, match=r"noise': .*'image'.*its arguments: \(images, classes=2\)"):
        load_data(f"{module}:noise", images=3, image=12)
    with pytest.raises(ConfigError, match="missing a required argument: 'images'"):
        load_data(f"{module}:noise")
    with pytest.raises(ConfigError, match=r"data 'digits': got an unexpected keyword argument 'seed'"):
        load_data("digits", seed=1)


def test_unknown_names_are_errors(module):
    with pytest.raises(RegistryError, match=r"unknown data 'digit'; did you mean 'digits'\?"):
        load_data("digit")
    with pytest.raises(RegistryError, match="has no 'nois'; did you mean 'noise'"):
        load_data(f"{module}:nois")
    with pytest.raises(ConfigError, match="wrong': is a int; it must be a function"):
        load_data(f"{module}:wrong")
