"""Which weights of a tensor are kept, in the smallest of three forms.

An empty stream keeps every weight. Otherwise the first byte is 0 for a mask, a symbol 0 or 1 a weight, or the width
of gap fields; then the number of fillers follows as a varint. The rest is a stream of symbols (``symbols.py``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import gaps, symbols, varint
from dqc_plugin.errors import ArtifactError

Positions = NDArray[np.int64]
_MASK = 0
_ENTROPY_CODED_WIDTH = 8  # a Huffman code makes wide fields cheap, and they need the fewest fillers


def encode(positions: Positions | None, size: int, entropy_coded: bool) -> bytes:
    """Ascending positions (n,) of the kept of ``size`` weights, None for all of them."""
    return b"" if positions is None else min(_forms(positions, size, entropy_coded), key=len)


def decode(data: bytes, count: int, size: int) -> Positions | None:
    """The ``count`` positions, None for all; ArtifactError, before memory is taken, if the bytes cannot be that."""
    if not data:
        if count != size:
            raise ArtifactError(f"no positions are given for {count} of {size} weights")
        return None
    width = data[0]
    if width == _MASK:
        return _unmask(symbols.decode(data[1:], size, 2), count)
    if width not in gaps.WIDTHS:
        raise ArtifactError(f"positions have an unknown form ({width})")
    fillers, start = varint.take(data, 1)
    fields = symbols.decode(data[start:], count + fillers, 1 << width)
    return gaps.decode(fields, count, size, width)


def _forms(positions: Positions, size: int, entropy_coded: bool) -> Iterator[bytes]:
    mask = np.zeros(size, np.uint8)
    mask[positions] = 1
    yield bytes([_MASK]) + symbols.encode(mask, 2, entropy_coded)
    for width in {gaps.narrowest(positions, size)} | ({_ENTROPY_CODED_WIDTH} if entropy_coded else set()):
        fields = gaps.encode(positions, size, width)
        head = bytes([width]) + varint.put(len(fields) - len(positions))
        yield head + symbols.encode(fields, 1 << width, entropy_coded)


def _unmask(mask: NDArray[np.uint8], count: int) -> Positions:
    positions = np.flatnonzero(mask)
    if len(positions) != count:
        raise ArtifactError(f"the mask keeps {len(positions)} weights instead of {count}")
    return positions
