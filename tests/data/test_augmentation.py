"""Augmentation against a plain loop over the images."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.data.augmentation import Augmentation, find_augmentation
from dqc_plugin.errors import ConfigError


def one_by_one(images: torch.Tensor, drawn: torch.Tensor, pad: int) -> torch.Tensor:
    height, width = images.shape[2:]
    results = []
    for image, (row, column, flip) in zip(images, drawn.tolist(), strict=True):
        crop = F.pad(image, (pad,) * 4)[:, row : row + height, column : column + width]
        results.append(crop.flip(2) if flip else crop)
    return torch.stack(results)


@settings(deadline=None, max_examples=30)
@given(
    count=st.integers(1, 6),
    channels=st.integers(1, 3),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    pad=st.integers(0, 4),
    flip=st.booleans(),
    dtype=st.sampled_from([torch.uint8, torch.float32]),
)
def test_equals_pad_crop_and_flip_of_each_image(count, channels, height, width, pad, flip, dtype):
    chosen = Augmentation(pad, flip)
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(1, 256, (count, channels, height, width), generator=generator).to(dtype)
    drawn = chosen.draw(count, generator)
    found = chosen.apply(images, drawn)
    assert found.dtype == dtype
    assert torch.equal(found, one_by_one(images, drawn, pad))


@pytest.mark.parametrize(("name", "shifts", "flips"), [("none", 1, 1), ("crop_flip", 9, 2), ("shift", 5, 1)])
def test_draws_every_shift_and_flip_about_equally(name, shifts, flips):
    drawn = find_augmentation(name).draw(9000, torch.Generator().manual_seed(0))
    for column, choices in enumerate((shifts, shifts, flips)):
        counts = torch.bincount(drawn[:, column])
        assert len(counts) == choices
        assert counts.min() > 0.85 * 9000 / choices


def test_unknown_name_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown augmentation 'crop_flop'; did you mean 'crop_flip'\?"):
        find_augmentation("crop_flop")
