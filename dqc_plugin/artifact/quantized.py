"""A quantized tensor as the indices of its nonzero weights, and back, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dqc_plugin.artifact.dtypes import FLOATS, name_of, on_host
from dqc_plugin.codebooks import Codebook
from dqc_plugin.coding import Decoded, KeptIndices
from dqc_plugin.errors import ArtifactError

Integers = NDArray[np.signedinteger[Any]]
_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}
_TORCH_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
Place = slice | NDArray[np.int64]


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


def to_weights(kept: Decoded, codebook: Codebook, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The weights of a shape and dtype; +0.0 where none is kept. The indices are used up."""
    _check_dtype(dtype)
    _check_channels(codebook, shape)
    if isinstance(kept, KeptIndices) and kept.positions is None:
        weights = _all_weights(kept, codebook, dtype)
    else:
        weights = _some_weights(kept, codebook, dtype)
    return torch.from_numpy(weights).view(dtype).reshape(shape)


def _some_weights(kept: Decoded, codebook: Codebook, dtype: torch.dtype) -> Integers:
    weights = np.zeros(kept.size, _INTEGERS[dtype.itemsize])
    table = codebook.codewords.to(dtype)
    if table.dim() == 1:
        kept.put(_as_integers(table), weights)
    else:
        for positions, values in _parts(kept.parts(), kept.size, codebook, dtype):
            weights[positions] = values
    return weights


def _all_weights(kept: KeptIndices, codebook: Codebook, dtype: torch.dtype) -> Integers:
    """In the memory of the indices, which grows to that of the weights: both at once would take a quarter more.

    The last ones come first, since a weight takes the place of later indices.
    """
    memory = kept.indices if kept.indices.flags.owndata else kept.indices.copy()
    memory.resize(kept.size * dtype.itemsize, refcheck=False)
    weights: Integers = memory.view(_INTEGERS[dtype.itemsize])
    parts = list(KeptIndices(kept.size, None, memory[: kept.size]).parts())
    for positions, values in _parts(reversed(parts), kept.size, codebook, dtype):
        weights[positions] = values
    return weights


def _kept_values(kept: KeptIndices, codebook: Codebook, dtype: torch.dtype) -> Integers:
    """The bits of the kept weights (n,)."""
    parts = [values for _, values in _parts(kept.parts(), kept.size, codebook, dtype)]
    return np.concatenate([np.empty(0, _INTEGERS[dtype.itemsize]), *parts])


def _parts(
    parts: Iterable[tuple[Place, NDArray[np.uint8]]], size: int, codebook: Codebook, dtype: torch.dtype
) -> Iterator[tuple[Place, Integers]]:
    """Where some kept of ``size`` weights are, and their codewords' bits: in the cache a lookup is fast."""
    table = codebook.codewords.to(dtype)
    bits = _as_integers(table.reshape(-1))
    for positions, indices in parts:
        places: NDArray[np.integer[Any]] = indices
        if table.dim() == 2:
            weights = np.arange(positions.start, positions.stop) if isinstance(positions, slice) else positions
            places = places + weights // (size // len(table)) * table.shape[1]
        yield positions, bits.take(places)


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
