"""LeNet-300-100 and LeNet-5: published sizes, small images, errors."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dqc_plugin.errors import ConfigError
from dqc_plugin.models import lenet5, lenet300
from dqc_plugin.registry import lookup


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_lenet5_is_caffes():
    model = lenet5()
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters() if name.endswith("weight")}
    assert shapes == {
        "conv1.weight": (20, 1, 5, 5),
        "conv2.weight": (50, 20, 5, 5),
        "fc1.weight": (500, 800),
        "fc2.weight": (10, 500),
    }
    assert parameters(model) == 431_080


def test_lenet300_has_the_published_size():
    model = lenet300()
    assert [name for name, _ in model.named_children()] == ["fc1", "fc2", "fc3"]
    assert parameters(model) == 266_610


@pytest.mark.parametrize("image_size", [4, 5, 7, 8, 12, 15, 16, 17, 28, 32])
@pytest.mark.parametrize("factory", [lenet300, lenet5])
def test_any_image_size_gives_logits_that_depend_on_the_image(factory, image_size):
    model = factory(in_channels=3, image_size=image_size, classes=7)
    logits = model(torch.randn(2, 3, image_size, image_size))
    assert logits.shape == (2, 7)
    assert not torch.equal(logits[0], logits[1])


def test_lenet5_for_digits_has_the_documented_size():
    assert parameters(lenet5(image_size=8)) == 114_760


def test_too_small_images_are_an_error_that_says_the_least_size():
    with pytest.raises(ConfigError, match=r"image_size 3 is too small.*at least 4 pixels"):
        lenet5(image_size=3)


@pytest.mark.parametrize("wrong", [{"classes": 0}, {"in_channels": -1}, {"image_size": 2.5}, {"classes": True}])
@pytest.mark.parametrize("factory", [lenet300, lenet5])
def test_sizes_must_be_positive_whole_numbers(factory, wrong):
    name = next(iter(wrong))
    with pytest.raises(ConfigError, match=rf"{factory.__name__}: {name} must be"):
        factory(**wrong)


@pytest.mark.parametrize("name", ["lenet300", "lenet5"])
def test_registered_and_copied_the_same(name):
    model = lookup("model", name).load()()
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(copy.deepcopy(model)(images), model(images))


def test_lenet5_takes_channels_last():
    model, images = lenet5(), torch.randn(2, 1, 28, 28)
    expected = model(images)
    found = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected)
