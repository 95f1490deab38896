"""A codebook of any values: Deep Compression's shared weights (Han et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dqc_plugin.codebooks.codebook import Record, look_up
from dqc_plugin.errors import ConfigError


@dataclass(frozen=True)
class SharedValues:
    """Values (K,), ascending, 1 <= K <= 256; each weight stands for the nearest, the smaller one of two as near."""

    values: Tensor

    def __post_init__(self) -> None:
        if self.values.dim() != 1 or not 1 <= len(self.values) <= 256:
            raise ConfigError(f"shared values must be 1 to 256 numbers, not of shape {list(self.values.shape)}")
        if bool((self.values.diff() < 0).any()):
            raise ConfigError("shared values must be in ascending order")

    @property
    def size(self) -> int:
        """Number of codewords."""
        return len(self.values)

    @property
    def codewords(self) -> Tensor:
        """The values, shape (K,)."""
        return self.values

    def assign(self, weights: Tensor) -> Tensor:
        """The index of the nearest value, uint8, shape of the weights, by bisection of the midpoints.

        Nearest among the values as the weights' dtype holds them, so that what was decoded finds its value again.
        """
        wide = self.values.to(weights.dtype).to(torch.float64)
        midpoints = (wide[1:] + wide[:-1]) / 2
        return torch.bucketize(weights.to(torch.float64).contiguous(), midpoints, out_int32=True).to(torch.uint8)

    def decode(self, indices: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """The value of each index, in a dtype (that of the values unless told)."""
        return look_up(self.values, indices).to(dtype or self.values.dtype)

    def quantize(self, weights: Tensor, mask: Tensor | None = None) -> Tensor:
        """The nearest value of each weight, in the weights' dtype; exactly +0.0 where the mask is 0."""
        values = self.decode(self.assign(weights), weights.dtype)
        return values if mask is None else values.masked_fill_(mask == 0, 0.0)

    def to_record(self) -> Record:
        """``{"codebook": "shared_values", "values"}``."""
        return {"codebook": "shared_values", "values": self.values.detach().clone()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> SharedValues:
        return cls(torch.as_tensor(record["values"]))
