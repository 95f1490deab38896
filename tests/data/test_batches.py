"""The loader: what an epoch holds, that it repeats, and its errors."""

from __future__ import annotations

import pytest
import torch

from dqc_plugin.data.batches import Batches
from dqc_plugin.data.part import Part
from dqc_plugin.errors import ConfigError


def loader(images: int = 23, batch_size: int = 5, augmentation: str = "none", drop_last: bool = False) -> Batches:
    """Image i is filled with i + 1 and has label i."""
    pixels = torch.arange(1, images + 1, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 2, 8, 8).contiguous()
    part = Part(pixels, torch.arange(images))
    return Batches(part, (0.0, 0.0), (1.0, 1.0), batch_size, augmentation, drop_last)


def images_of(batches) -> torch.Tensor:
    return torch.cat([images for images, _ in batches])


def labels_of(batches) -> list[int]:
    return torch.cat([labels for _, labels in batches]).tolist()


@pytest.mark.parametrize(("drop_last", "steps", "images"), [(False, 5, 23), (True, 4, 20)])
def test_an_epoch_holds_every_image_once(drop_last, steps, images):
    batches = list(loader(drop_last=drop_last).epoch(0, 0))
    assert len(batches) == len(loader(drop_last=drop_last)) == steps
    assert len(set(labels_of(batches))) == len(labels_of(batches)) == images


def test_images_stay_with_their_labels():
    for images, labels in loader().epoch(3, 1):
        assert images.dtype == torch.float32
        torch.testing.assert_close(images[:, 0, 4, 4] * 255, labels + 1.0)


@pytest.mark.parametrize("augmentation", ["none", "crop_flip", "shift"])
def test_equal_seed_and_epoch_give_equal_batches_whatever_was_drawn_between(augmentation):
    first = loader(augmentation=augmentation)
    expected = images_of(first.epoch(1, 2))
    list(first.epoch(1, 3))
    torch.rand(7)
    assert torch.equal(images_of(first.epoch(1, 2)), expected)
    assert torch.equal(images_of(loader(augmentation=augmentation).epoch(1, 2)), expected)


def test_other_seeds_and_epochs_give_other_orders():
    orders = {tuple(labels_of(loader().epoch(seed, epoch))) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    list(loader(augmentation="crop_flip").epoch(0, 0))
    assert torch.equal(torch.get_rng_state(), state)


def test_plain_iteration_is_in_order_and_without_augmentation():
    evaluation = loader(augmentation="crop_flip")
    assert labels_of(evaluation) == list(range(23))
    torch.testing.assert_close(images_of(evaluation) * 255, evaluation.part.images.float())


def test_evaluating_and_training_leave_the_images_as_they_were():
    part = Part(torch.rand(6, 1, 4, 4), torch.zeros(6, dtype=torch.int64))
    before = part.images.clone()
    batches = Batches(part, (0.5,), (0.1,), 4, "shift")
    list(batches)
    list(batches.epoch(0, 0))
    assert torch.equal(part.images, before)


def test_features_without_sides_are_normalised_too():
    part = Part(torch.tensor([[1.0, 10.0], [3.0, 30.0]]), torch.tensor([0, 1]))
    images, _ = next(iter(Batches(part, (2.0, 20.0), (1.0, 10.0), 2)))
    torch.testing.assert_close(images, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    with pytest.raises(ConfigError, match="augmentation needs images"):
        Batches(part, (2.0, 20.0), (1.0, 10.0), 2, "shift")


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True])
def test_batch_size_must_be_a_positive_whole_number(batch_size):
    with pytest.raises(ConfigError, match="batch_size must be a whole number of at least 1"):
        loader(batch_size=batch_size)


def test_no_full_batch_is_an_error():
    with pytest.raises(ConfigError, match="4 images give no batch of 5"):
        loader(images=4, drop_last=True)


@pytest.mark.parametrize(("seed", "epoch"), [(-1, 0), (0, -1)])
def test_negative_seed_or_epoch_is_an_error(seed, epoch):
    with pytest.raises(ConfigError, match="must not be negative"):
        next(loader().epoch(seed, epoch))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_batches():
    on_cpu = loader(augmentation="crop_flip")
    on_gpu = Batches(on_cpu.part.to("cuda"), (0.0, 0.0), (1.0, 1.0), 5, "crop_flip")
    found = images_of(on_gpu.epoch(0, 0))
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), images_of(on_cpu.epoch(0, 0)))
