"""A loader over images in memory: order and augmentation are pure functions of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from dqc_plugin.data.augmentation import find_augmentation
from dqc_plugin.data.normalise import Normalise
from dqc_plugin.data.part import Part
from dqc_plugin.errors import ConfigError

Batch = tuple[Tensor, Tensor]


class Batches:
    """Normalised images (batch, C, H, W) float32 with labels (batch,) int64, on the device of the part.

    :meth:`epoch` is for training: shuffled and augmented. Plain iteration is for evaluation: in order, as they are.
    augmentation: "none", "crop_flip" or "shift", see :mod:`dqc_plugin.data.augmentation`.
    drop_last: leave out a last batch that is not full, in training and in evaluation.
    Raises ConfigError for arguments that cannot work.
    """

    def __init__(
        self,
        part: Part,
        mean: Sequence[float],
        std: Sequence[float],
        batch_size: int,
        augmentation: str = "none",
        drop_last: bool = False,
    ) -> None:
        self.part = part
        self.batch_size = batch_size
        self.drop_last = drop_last
        self._augmentation = find_augmentation(augmentation)
        self._normalise = Normalise(mean, std, part.images)
        self._check()

    def __len__(self) -> int:
        """Steps an epoch."""
        images = len(self.part)
        return images // self.batch_size if self.drop_last else -(-images // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for some in self._slices():
            yield self._normalise(self.part.images[some]), self.part.labels[some]

    def epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch of training: equal seed and epoch (both >= 0) give equal batches, on any device."""
        generator = _generator(seed, epoch)
        device = self.part.images.device
        order = torch.randperm(len(self.part), generator=generator).to(device)
        drawn = self._augmentation.draw(len(self.part), generator).to(device)
        for some in self._slices():
            chosen = self.part[order[some]]
            yield self._normalise(self._augmentation.apply(chosen.images, drawn[some])), chosen.labels

    def _slices(self) -> Iterator[slice]:
        return (slice(step * self.batch_size, (step + 1) * self.batch_size) for step in range(len(self)))

    def _check(self) -> None:
        if isinstance(self.batch_size, bool) or not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise ConfigError(f"batch_size must be a whole number of at least 1, not {self.batch_size!r}")
        if len(self) == 0:
            raise ConfigError(
                f"{len(self.part)} images give no batch of {self.batch_size} (drop_last: {self.drop_last})"
            )
        if self.part.images.ndim != 4 and not self._augmentation.is_none:
            raise ConfigError(
                f"augmentation needs images (N, C, H, W), not {tuple(self.part.images.shape)}; use 'none'"
            )


def _generator(seed: int, epoch: int) -> torch.Generator:
    """Independent streams for neighbouring seeds and epochs, which adding the two would not give."""
    if seed < 0 or epoch < 0:
        raise ConfigError(f"seed and epoch must not be negative: {seed}, {epoch}")
    state = np.random.SeedSequence([seed, epoch]).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))
