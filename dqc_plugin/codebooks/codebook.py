"""What every codebook can do, and how one is written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from dqc_plugin.errors import ConfigError, did_you_mean

Record = dict[str, Any]


class Codebook(Protocol):
    """An ordered table of codewords, of one tensor or of each output channel (dimension 0) of it."""

    @property
    def size(self) -> int:
        """Number of codewords K, at most 256."""

    @property
    def codewords(self) -> Tensor:
        """The values in ascending order, shape (K,), or (C, K) with a codebook for each channel."""

    def assign(self, weights: Tensor) -> Tensor:
        """The index (uint8, shape of the weights) of the codeword that stands for each weight."""

    def decode(self, indices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """The codeword of each index, shape of the indices."""

    def quantize(self, weights: Tensor, mask: Tensor | None = None) -> Tensor:
        """``decode(assign(weights))`` in one go; exactly +0.0 where the mask is 0."""

    def to_record(self) -> Record:
        """The codebook as a plain mapping, for calibration configs and files."""


def from_record(record: Mapping[str, Any]) -> Codebook:
    """The codebook of a record that ``to_record`` made; further keys in it are left alone.

    Raises ConfigError for an unknown family, a missing key or a value of the wrong type.
    """
    from dqc_plugin.codebooks.power_of_two import PowerOfTwo
    from dqc_plugin.codebooks.shared_values import SharedValues

    families: dict[str, Any] = {"power_of_two": PowerOfTwo, "shared_values": SharedValues}
    family = str(record.get("codebook"))
    if family not in families:
        raise ConfigError(f"unknown codebook family {family!r}{did_you_mean(family, families)}")
    try:
        codebook: Codebook = families[family].from_record(record)
    except KeyError as missing:
        raise ConfigError(f"the record of a {family} codebook lacks {missing}") from None
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ConfigError(f"the record of a {family} codebook holds what it cannot be made of ({error})") from None
    return codebook


def look_up(codewords: Tensor, indices: Tensor) -> Tensor:
    """Codewords (K,) or (C, K) by indices of any shape (dimension 0 is the channel); values in the table's dtype.

    The only temporary is an int32 copy of the indices.
    """
    places = indices.to(torch.int32)
    if codewords.dim() == 2:
        channels, size = codewords.shape
        offsets = torch.arange(channels, dtype=torch.int32, device=indices.device) * size
        places = places + offsets.reshape(-1, *[1] * (indices.dim() - 1))
    return codewords.reshape(-1).index_select(0, places.reshape(-1)).reshape(indices.shape)
