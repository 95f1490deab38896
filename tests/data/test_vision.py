"""MNIST and CIFAR-10 from files and through torchvision, which is replaced by fakes here."""

from __future__ import annotations

import os
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from dqc_plugin.data.load import load_data
from dqc_plugin.data.vision import cifar10, mnist
from dqc_plugin.errors import ConfigError, RunError


@pytest.fixture
def no_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("DQC_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dqc-plugin"


def fake_torchvision(monkeypatch, **datasets):
    module = ModuleType("torchvision.datasets")
    vars(module).update(datasets)
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)


@pytest.mark.parametrize(
    ("factory", "shape", "expected", "mean"),
    [(mnist, (28, 28), (40, 1, 28, 28), (0.1307,)), (cifar10, (32, 32, 3), (40, 3, 32, 32), (0.4914, 0.4822, 0.4465))],
)
def test_files_in_the_folder_of_dqc_data(monkeypatch, tmp_path, arrays, save_npz, factory, shape, expected, mean):
    save_npz(arrays(*shape), f"{factory.__name__}.npz")
    monkeypatch.setenv("DQC_DATA", str(tmp_path))
    dataset = factory()
    assert dataset.train.images.shape == expected
    assert (dataset.train.images.dtype, dataset.classes, dataset.mean) == (torch.uint8, 10, mean)


def test_a_folder_without_the_file_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("DQC_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=r"mnist\.npz: no such file"):
        mnist()


def test_a_file_with_other_channels_is_an_error(monkeypatch, tmp_path, arrays, save_npz):
    save_npz(arrays(32, 32), "cifar10.npz")
    monkeypatch.setenv("DQC_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match="cifar10: 1 channels need as many means"):
        cifar10()


@pytest.mark.parametrize(("name", "fake", "shape"), [("mnist", "MNIST", (28, 28)), ("cifar10", "CIFAR10", (32, 32, 3))])
def test_torchvision_downloads_into_the_cache(monkeypatch, no_folder, arrays, name, fake, shape):
    made, asked = arrays(*shape), []

    def dataset(root, train, download):
        asked.append((root, train, download))
        part = "train" if train else "test"
        return SimpleNamespace(data=made[f"x_{part}"], targets=made[f"y_{part}"].tolist())

    fake_torchvision(monkeypatch, **{fake: dataset})
    found = load_data(name)
    assert asked == [(str(no_folder), True, True), (str(no_folder), False, True)]
    expected = made["x_test"].reshape(10, *shape[:2], -1).transpose(0, 3, 1, 2)
    assert np.array_equal(found.test.images.numpy(), expected)
    assert found.train.labels.tolist() == made["y_train"].tolist()


@pytest.mark.parametrize("failure", [RuntimeError("Error downloading"), OSError("no route to host")])
def test_a_failed_download_says_what_to_do(monkeypatch, no_folder, failure):
    def dataset(**_):
        raise failure

    fake_torchvision(monkeypatch, CIFAR10=dataset)
    with pytest.raises(RunError, match=f"failed .{failure}.; try again, or set DQC_DATA to a folder with cifar10.npz"):
        cifar10()


def test_without_torchvision_says_what_to_do(monkeypatch, no_folder):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(
        ConfigError, match=r"pip install 'dqc-plugin\[vision\]', or set DQC_DATA .* mnist.npz .* x_train"
    ):
        mnist()


@pytest.mark.skipif(not os.environ.get("DQC_DATA"), reason="DQC_DATA is not set")
def test_real_mnist():
    dataset = mnist()
    assert (len(dataset.train), len(dataset.test), dataset.image_size) == (60_000, 10_000, 28)
    images, _ = next(iter(dataset.batches(dataset.train, 60_000)))
    assert images.mean().item() == pytest.approx(0, abs=0.01)
    assert images.std().item() == pytest.approx(1, abs=0.01)
    assert torch.bincount(dataset.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
