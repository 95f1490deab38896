"""Channel statistics and normalisation against float64."""

from __future__ import annotations

import pytest
import torch

from dqc_plugin.data.normalise import Normalise, channel_statistics


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("shape", [(600, 3, 5, 4), (300, 7)])
def test_statistics_equal_those_of_the_whole_in_float64(dtype, shape):
    images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    exact = images.double().div(255 if dtype == torch.uint8 else 1).transpose(0, 1).flatten(1)
    mean, std = channel_statistics(images)
    torch.testing.assert_close(torch.tensor(mean), exact.mean(1).float())
    torch.testing.assert_close(torch.tensor(std), exact.std(1, correction=0).float())


def test_a_constant_channel_has_std_1():
    images = torch.stack((torch.full((500, 3, 3), 0.1), torch.rand(500, 3, 3)), 1)
    _, std = channel_statistics(images)
    assert std[0] == 1
    assert std[1] == pytest.approx(12**-0.5, rel=0.05)


def test_normalised_images_have_mean_0_and_std_1_and_the_data_are_untouched():
    images = torch.rand(200, 2, 6, 6) * 3 + 5
    before = images.clone()
    found = Normalise(*channel_statistics(images), images)(images)
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std((0, 2, 3), correction=0), torch.ones(2))
    assert torch.equal(images, before)


def test_uint8_is_divided_by_255():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    found = Normalise((0.2,), (0.4,), images)(images)
    torch.testing.assert_close(found.flatten(), torch.tensor([-0.5, 0.0, 2.0]))
