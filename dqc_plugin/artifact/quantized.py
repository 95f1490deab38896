"""A quantized tensor as the indices of its nonzero weights, and back, bit for bit."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dqc_plugin.artifact.dtypes import FLOATS, name_of, on_host
from dqc_plugin.codebooks import Codebook
from dqc_plugin.coding import KeptIndices
from dqc_plugin.errors import ArtifactError


def to_indices(weights: Tensor, codebook: Codebook) -> KeptIndices:
    """The nonzero weights' indices.

    Raises ArtifactError unless decoding gives every weight again. Zeros are dropped, whether pruned or of a zero
    codeword; they come back as +0.0, so -0.0 is the one value that does not keep its bits.
    """
    weights = on_host(weights)
    _check_dtype(weights.dtype)
    if not bool(torch.isfinite(weights).all()):
        raise ArtifactError("it holds NaN or infinity, which no codebook has")
    _check_channels(codebook, tuple(weights.shape))
    indices, is_kept = codebook.assign(weights), weights != 0
    kept = _drop_zeros(indices.reshape(-1).numpy(), is_kept.reshape(-1).numpy())
    off = int((to_weights(kept, codebook, tuple(weights.shape), weights.dtype) != weights).sum())
    if off:
        raise ArtifactError(
            f"{off} of {weights.numel()} weights are not on its codebook; export the model before saving"
        )
    return kept


def to_weights(kept: KeptIndices, codebook: Codebook, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The weights of a shape and dtype; +0.0 where none is kept."""
    _check_dtype(dtype)
    _check_channels(codebook, shape)
    indices = torch.from_numpy(kept.indices.copy())
    if kept.positions is None:
        return codebook.decode(indices.reshape(shape), dtype)
    weights = torch.zeros(kept.size, dtype=dtype)
    positions = torch.from_numpy(kept.positions)
    weights[positions] = _values_at(positions, indices, codebook, kept.size).to(dtype)
    return weights.reshape(shape)


def _values_at(positions: Tensor, indices: Tensor, codebook: Codebook, size: int) -> Tensor:
    """The codewords of the kept weights, (n,): what ``decode`` gives there, without decoding the dropped ones."""
    table, places = codebook.codewords, indices.long()
    if table.dim() == 2:
        channels, codewords = table.shape
        places += positions // max(size // max(channels, 1), 1) * codewords
    return table.reshape(-1)[places]


def _drop_zeros(indices: NDArray[np.uint8], is_kept: NDArray[np.bool_]) -> KeptIndices:
    if is_kept.all():
        return KeptIndices(len(indices), None, indices)
    return KeptIndices(len(indices), np.flatnonzero(is_kept), indices[is_kept])


def _check_dtype(dtype: torch.dtype) -> None:
    if dtype not in FLOATS:
        raise ArtifactError(f"a tensor of dtype {name_of(dtype)} cannot be on a codebook")


def _check_channels(codebook: Codebook, shape: tuple[int, ...]) -> None:
    table = codebook.codewords.shape
    if len(table) == 2 and shape[:1] != table[:1]:
        raise ArtifactError(f"a codebook of {table[0]} channels does not fit shape {list(shape)}")
