"""What the four tensors must be, and the data set that they make."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dqc_plugin.data.arrays import channels_first, dataset_from_arrays
from dqc_plugin.errors import ConfigError


def tensors(*shape: int, **changed: torch.Tensor) -> dict[str, torch.Tensor]:
    shape = shape or (3, 6, 6)
    return {
        "x_train": torch.rand(8, *shape),
        "y_train": torch.arange(8) % 4,
        "x_test": torch.rand(4, *shape),
        "y_test": torch.arange(4),
    } | changed


def test_shape_facts():
    dataset = dataset_from_arrays("here", tensors())
    assert (dataset.channels, dataset.image_size, dataset.classes) == (3, 6, 4)
    assert (len(dataset.train), len(dataset.test)) == (8, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.classes = 5


def test_images_without_channels_get_one():
    assert dataset_from_arrays("here", tensors(5, 5)).train.images.shape == (8, 1, 5, 5)


@pytest.mark.parametrize("shape", [(3, 6, 5), (7,)])
def test_image_size_of_other_shapes_is_an_error(shape):
    with pytest.raises(ConfigError, match="not square images"):
        _ = dataset_from_arrays("here", tensors(*shape)).image_size


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_floats_become_float32(dtype):
    dataset = dataset_from_arrays("here", tensors(x_train=torch.rand(8, 3, 6, 6).to(dtype)))
    assert dataset.train.images.dtype == torch.float32


def test_labels_may_be_a_column_of_any_integers():
    column = (torch.arange(8, dtype=torch.uint8) % 4)[:, None]
    labels = dataset_from_arrays("here", tensors(y_train=column)).train.labels
    assert labels.dtype == torch.int64
    assert labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_moves_to_a_device():
    moved = dataset_from_arrays("here", tensors()).to("meta")
    assert {part.images.device.type for part in (moved.train, moved.test)} == {"meta"}
    assert {part.labels.device.type for part in (moved.train, moved.test)} == {"meta"}


def test_batches_are_normalised_with_the_statistics_of_the_training_images():
    dataset = dataset_from_arrays("here", tensors())
    images = torch.cat([images for images, _ in dataset.batches(dataset.train, 3)])
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)


WRONG = {
    "here: x_train: images must be uint8 or float, not torch.int64": {"x_train": torch.ones(8, 3, 6, 6).long()},
    "here: x_test: images must be of shape": {"x_test": torch.rand(4, 1, 1, 1, 1)},
    "here: x_train: images must be of shape.*not \\(0, 3, 6, 6\\)": {
        "x_train": torch.rand(0, 3, 6, 6),
        "y_train": torch.arange(0),
    },
    "here: y_test: labels must be integers, not torch.float32": {"y_test": torch.rand(4)},
    "here: y_train: labels must be of shape": {"y_train": torch.ones(8, 2).long()},
    "here: y_train: label -1 is out of range": {"y_train": torch.arange(8) % 4 - 1},
    "here: y_test: label 4 is out of range, 4 classes have labels 0 to 3": {"y_test": torch.arange(4) + 1},
    "here: x_train has 8 images but y_train has 7 labels": {"y_train": torch.arange(7)},
    "here: x_train and x_test must be alike": {"x_test": torch.rand(4, 3, 5, 5)},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_tensors_are_named(message):
    with pytest.raises(ConfigError, match=message):
        dataset_from_arrays("here", tensors(**WRONG[message]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_values_that_are_not_finite_are_found(value):
    images = torch.rand(8, 3, 6, 6, dtype=torch.float64)
    images[5, 2, 1, 1] = value
    with pytest.raises(ConfigError, match="here: x_train: NaN or infinity in 1 images, the first is number 5"):
        dataset_from_arrays("here", tensors(x_train=images))


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("3 channels need as many means and stds, not 1 and 1", {"statistics": ((0.0,), (1.0,))}),
        ("every std must be above 0", {"statistics": ((0.0,) * 3, (1.0, 0.0, 1.0))}),
        ("classes must be a whole number, not '4'", {"classes": "4"}),
        ("label 3 is out of range, 3 classes", {"classes": 3}),
    ],
)
def test_wrong_facts_are_errors(message, arguments):
    with pytest.raises(ConfigError, match=message):
        dataset_from_arrays("here", tensors(), **arguments)


def test_channels_first_moves_only_the_channels():
    images = torch.rand(2, 5, 4, 3)
    assert torch.equal(channels_first(images, "x"), images.permute(0, 3, 1, 2))
    assert torch.equal(channels_first(images[0], "x"), images[0])
    with pytest.raises(ConfigError, match=r"x: shape \(2, 3, 8, 8\) looks like NCHW"):
        channels_first(torch.rand(2, 3, 8, 8), "x")
