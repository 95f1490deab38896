"""The embedded digits."""

from __future__ import annotations

import torch

from dqc_plugin.data.digits import digits


def test_the_split_is_fixed_and_stratified():
    dataset = digits()
    assert dataset.train.images.shape == (1437, 1, 8, 8)
    assert (dataset.channels, dataset.image_size, dataset.classes, len(dataset.test)) == (1, 8, 10, 360)
    assert torch.bincount(dataset.test.labels).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    torch.rand(1)
    assert torch.equal(digits().test.images, dataset.test.images)


def test_pixels_are_0_to_1_and_no_test_image_is_a_training_image():
    dataset = digits()
    assert (dataset.train.images.min(), dataset.train.images.max()) == (0, 1)
    train = {image.numpy().tobytes() for image in dataset.train.images}
    assert not any(image.numpy().tobytes() in train for image in dataset.test.images)
