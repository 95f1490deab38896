"""A quantized tensor as the indices of its nonzero weights, and back, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dqc_plugin.artifact.dtypes import FLOATS, name_of, on_host
from dqc_plugin.codebooks import Codebook
from dqc_plugin.coding import KeptIndices
from dqc_plugin.errors import ArtifactError

Integers = NDArray[np.signedinteger[Any]]
_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}
_TORCH_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_PART = 1 << 16


def to_indices(weights: Tensor, codebook: Codebook) -> KeptIndices:
    """The nonzero weights' indices.

    Raises ArtifactError unless decoding gives every weight again. Zeros are dropped, whether pruned or of a zero
    codeword; they come back as +0.0, so -0.0 is the one value that does not keep its bits.
    """
    weights = on_host(weights)
    _check_dtype(weights.dtype)
    _check_channels(codebook, tuple(weights.shape))
    flat = weights.reshape(-1)
    positions = np.flatnonzero((flat != 0).numpy())
    kept = flat if len(positions) == len(flat) else flat[torch.from_numpy(positions)]
    if not bool(torch.isfinite(kept).all()):
        raise ArtifactError("it holds NaN or infinity, which no codebook has")
    if codebook.codewords.dim() == 1:
        indices = codebook.assign(kept).numpy()
    else:
        indices = codebook.assign(weights).reshape(-1).numpy()[positions]
    shape = tuple(weights.shape)
    found = KeptIndices(len(flat), None if len(positions) == len(flat) else positions, indices, shape)
    off = int((_kept_values(found, codebook, weights.dtype) != _as_integers(kept)).sum())
    if off:
        raise ArtifactError(
            f"{off} of {weights.numel()} weights are not on its codebook; export the model before saving"
        )
    return found


def to_weights(kept: KeptIndices, codebook: Codebook, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The weights of a shape and dtype; +0.0 where none is kept."""
    _check_dtype(dtype)
    _check_channels(codebook, shape)
    if kept.positions is None:
        weights = _kept_values(kept, codebook, dtype)
    else:
        weights = np.zeros(kept.size, _INTEGERS[dtype.itemsize])
        for part, values in _parts(kept, codebook, dtype):
            weights[kept.positions[part]] = values
    return torch.from_numpy(weights).view(dtype).reshape(shape)


def _kept_values(kept: KeptIndices, codebook: Codebook, dtype: torch.dtype) -> Integers:
    """The bits of the kept weights (n,)."""
    values = np.empty(len(kept.indices), _INTEGERS[dtype.itemsize])
    for part, of_part in _parts(kept, codebook, dtype):
        values[part] = of_part
    return values


def _parts(kept: KeptIndices, codebook: Codebook, dtype: torch.dtype) -> Iterator[tuple[slice, Integers]]:
    """Some of the kept weights at a time, and their codewords' bits: in the cache a lookup is fast."""
    table = codebook.codewords.to(dtype)
    bits = _as_integers(table.reshape(-1))
    for start in range(0, len(kept.indices), _PART):
        part = slice(start, min(start + _PART, len(kept.indices)))
        places: NDArray[np.integer[Any]] = kept.indices[part]
        if table.dim() == 2:
            positions = np.arange(part.start, part.stop) if kept.positions is None else kept.positions[part]
            places = places + positions // (kept.size // len(table)) * table.shape[1]
        yield part, bits.take(places)


def _as_integers(values: Tensor) -> Integers:
    """The bits of floats (n,), as integers of their width: numpy has no bfloat16."""
    integers: Integers = values.contiguous().view(_TORCH_INTEGERS[values.dtype.itemsize]).numpy()
    return integers


def _check_dtype(dtype: torch.dtype) -> None:
    if dtype not in FLOATS:
        raise ArtifactError(f"a tensor of dtype {name_of(dtype)} cannot be on a codebook")


def _check_channels(codebook: Codebook, shape: tuple[int, ...]) -> None:
    table = codebook.codewords.shape
    if len(table) == 2 and shape[:1] != table[:1]:
        raise ArtifactError(f"a codebook of {table[0]} channels does not fit shape {list(shape)}")
