"""Parts held out by seed, stratified."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.data.dataset import DataSet
from dqc_plugin.data.part import Part
from dqc_plugin.data.split import split_validation
from dqc_plugin.errors import ConfigError


def dataset(images: int = 200, classes: int = 4) -> DataSet:
    """Image i holds i; its class is i mod classes."""
    numbers = torch.arange(images)
    part = Part(numbers.float().view(-1, 1, 1, 1), numbers % classes)
    return DataSet(part, part, classes, (0.0,), (1.0,))


def numbers(part: Part) -> list[int]:
    return part.images.flatten().int().tolist()


@settings(deadline=None, max_examples=25)
@given(count=st.integers(4, 196), seed=st.integers(0, 2**32 - 1))
def test_parts_are_whole_disjoint_in_order_and_stratified(count, seed):
    train, validation = split_validation(dataset(), count, seed)
    assert len(validation) == count
    assert sorted(numbers(train) + numbers(validation)) == list(range(200))
    assert numbers(train) == sorted(numbers(train))
    assert validation.labels.tolist() == [number % 4 for number in numbers(validation)]
    per_class = torch.bincount(validation.labels, minlength=4)
    assert per_class.max() - per_class.min() <= 1


def test_the_seed_decides():
    first, again, other = (numbers(split_validation(dataset(), 40, seed)[1]) for seed in (1, 1, 2))
    assert first == again != other


def test_a_fraction_is_of_the_training_images():
    assert len(split_validation(dataset(), 0.25, 0)[1]) == 50


@pytest.mark.parametrize("nothing", [0, 0.0])
def test_nothing_held_out(nothing):
    train, validation = split_validation(dataset(), nothing, 0)
    assert (len(train), len(validation)) == (200, 0)


@pytest.mark.parametrize("validation", [-1, 200, 1.0, -0.1, True, "0.1", float("nan")])
def test_a_number_out_of_range_is_an_error(validation):
    with pytest.raises(ConfigError, match="validation must be a number of images below 200"):
        split_validation(dataset(), validation, 0)


def test_fewer_images_than_classes_is_an_error():
    with pytest.raises(ConfigError, match=r"cannot hold out 3 of 200 images by class, seed 0: .*number of classes"):
        split_validation(dataset(), 3, 0)


def test_a_seed_that_numpy_cannot_take_is_an_error():
    with pytest.raises(ConfigError, match="seed -1"):
        split_validation(dataset(), 40, -1)
