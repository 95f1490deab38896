"""A quantized tensor as the indices of its nonzero weights, and back, bit for bit."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dqc_plugin.artifact.dtypes import on_host
from dqc_plugin.codebooks import Codebook
from dqc_plugin.coding import KeptIndices
from dqc_plugin.errors import ArtifactError


def to_indices(weights: Tensor, codebook: Codebook) -> KeptIndices:
    """The nonzero weights' indices.

    Raises ArtifactError unless decoding gives every weight again. Zeros are dropped, whether pruned or of a zero
    codeword; they come back as +0.0, so -0.0 is the one value that does not keep its bits.
    """
    weights = on_host(weights)
    if not weights.is_floating_point() or not bool(torch.isfinite(weights).all()):
        raise ArtifactError("only finite floats can be stored on a codebook")
    _check_channels(codebook, tuple(weights.shape))
    is_kept = weights != 0
    indices = codebook.assign(weights)
    values = codebook.decode(indices, weights.dtype)
    off = int(((values != weights) & is_kept).sum())
    if off:
        raise ArtifactError(
            f"{off} of {weights.numel()} weights are not on its codebook; export the model before saving"
        )
    return _drop_zeros(indices.reshape(-1).numpy(), is_kept.reshape(-1).numpy())


def to_weights(kept: KeptIndices, codebook: Codebook, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The weights of a shape and dtype; +0.0 where none is kept."""
    if not dtype.is_floating_point:
        raise ArtifactError("a codebook stands for a tensor that is not of floats")
    _check_channels(codebook, shape)
    if kept.positions is None:
        return codebook.decode(torch.from_numpy(kept.indices.copy()).reshape(shape), dtype)
    positions = torch.from_numpy(kept.positions)
    indices = torch.zeros(kept.size, dtype=torch.uint8)
    indices[positions] = torch.from_numpy(kept.indices.copy())
    values = codebook.decode(indices.reshape(shape), dtype).reshape(-1)
    weights = torch.zeros(kept.size, dtype=dtype)
    weights[positions] = values[positions]
    return weights.reshape(shape)


def _drop_zeros(indices: NDArray[np.uint8], is_kept: NDArray[np.bool_]) -> KeptIndices:
    if is_kept.all():
        return KeptIndices(len(indices), None, indices)
    return KeptIndices(len(indices), np.flatnonzero(is_kept), indices[is_kept])


def _check_channels(codebook: Codebook, shape: tuple[int, ...]) -> None:
    table = codebook.codewords.shape
    if len(table) == 2 and shape[:1] != table[:1]:
        raise ArtifactError(f"a codebook of {table[0]} channels does not fit shape {list(shape)}")
