"""Sums of slices of a long vector, with a sum kept for each block instead of each element."""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 1024
_BLOCKS_AT_ONCE = 4096  # what is held in float64 at a time


class PrefixSums:
    """Prefix sums of ``values`` (N,) in float64, from one stored number for every 1024 elements."""

    def __init__(self, values: Tensor) -> None:
        self._values = values
        blocks = values[: len(values) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        sums = [part.double().sum(1) for part in torch.split(blocks, _BLOCKS_AT_ONCE)]
        self._before_block = torch.cat([values.new_zeros(1, dtype=torch.float64), *sums]).cumsum(0)

    def before(self, ends: Tensor) -> Tensor:
        """The sum of the elements before each end (0 to N, int64): float64, shape (K,) of ``ends``."""
        blocks = ends // _BLOCK
        places = blocks[:, None] * _BLOCK + torch.arange(_BLOCK, device=ends.device)
        rest = self._values[places.clamp(max=len(self._values) - 1)].double()
        return self._before_block[blocks] + rest.masked_fill_(places >= ends[:, None], 0.0).sum(1)
