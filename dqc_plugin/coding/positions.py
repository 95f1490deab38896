"""Which weights of a tensor are kept, in the smallest of three forms.

An empty stream keeps every weight. Otherwise the first byte is 0 for a mask, a symbol 0 or 1 a weight, or the width
of gap fields; then the number of fillers follows as a varint. The rest is a stream of symbols (``symbols.py``).
A stream has at least a byte for each 2040 weights, so that a short one cannot ask for much memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import estimates, gaps, huffman, native, packed, symbols, varint
from dqc_plugin.coding.estimates import Form
from dqc_plugin.coding.gaps import Gaps
from dqc_plugin.errors import ArtifactError

Positions = NDArray[np.int64]
_MASK = 0
_WEIGHTS_PER_BYTE = 8 * 255  # that of gaps which are fillers only, a bit each
_LEAST_SHARE_OF_A_MASK = 20  # one in so many weights kept; below, a mask's codes waste what gaps save
_ENTROPY_CODED_WIDTH = 8  # a Huffman code makes wide fields cheap, and they need the fewest fillers


def encode(positions: Positions | None, size: int, entropy_coded: bool) -> bytes:
    """Ascending positions (n,) of the kept of ``size`` weights, None for all of them."""
    if positions is None:
        return b""
    return estimates.smallest(_forms(positions, size, entropy_coded), size)


def estimate(positions: Positions | None, size: int) -> float:
    """About the bytes of :func:`encode` with entropy coding."""
    return 0.0 if positions is None else min(length for length, _ in _forms(positions, size, True))


def decode(data: bytes, count: int, size: int) -> Positions | Gaps | None:
    """The ``count`` positions, None for all; ArtifactError, before memory is taken, if the bytes cannot be that."""
    if not data:
        if count != size:
            raise ArtifactError(f"no positions are given for {count} of {size} weights")
        return None
    if size > _WEIGHTS_PER_BYTE * len(data):
        raise ArtifactError(f"{len(data)} bytes of positions cannot stand for {size} weights")
    width = data[0]
    if width == _MASK:
        return _unmask(symbols.decode(data[1:], size, 2), count)
    if width not in gaps.WIDTHS:
        raise ArtifactError(f"positions have an unknown form ({width})")
    fillers, start = varint.take(data, 1)
    fields = symbols.decode(data[start:], count + fillers, 1 << width)
    return Gaps(fields, (1 << width) - 1).check(count, size)


def _forms(positions: Positions, size: int, entropy_coded: bool) -> Iterator[Form]:
    least = -(-size // _WEIGHTS_PER_BYTE)
    if len(positions) * _LEAST_SHARE_OF_A_MASK >= size or size <= estimates.TRIED:
        yield from _masks(positions, size, entropy_coded, least)
    counts = gaps.Histogram.of(positions, size)
    for width in {counts.narrowest()} | ({_ENTROPY_CODED_WIDTH} if entropy_coded else set()):
        of_fields = counts.of_fields((1 << width) - 1)
        head = bytes([width]) + varint.put(int(of_fields[-1]))
        length = symbols.estimate_of(of_fields, entropy_coded)
        yield length, partial(_write_gaps, head, positions, size, width, entropy_coded, least)


def _masks(positions: Positions, size: int, entropy_coded: bool, least: int) -> Iterator[Form]:
    yield packed.packed_length(size, 1), lambda: bytes([_MASK, 0]) + _octets(positions, size).tobytes()
    if entropy_coded:
        counts = native.octet_histogram(positions, size) if native.LIBRARY else np.bincount(_octets(positions, size))
        yield max(estimates.deflate_bytes(counts), least), partial(_write_mask, positions, size, False, least)
    if entropy_coded and come_in_runs(positions):  # histograms do not tell of these
        data = _write_mask(positions, size, True, least)
        yield len(data), lambda: data


def _write_mask(positions: Positions, size: int, runs: bool, least: int) -> bytes:
    return bytes([_MASK, 8]) + huffman.encode(_octets(positions, size), runs=runs, least=least)


def _octets(positions: Positions, size: int) -> NDArray[np.uint8]:
    mask = np.zeros(size, np.bool_)
    mask[positions] = True
    return np.packbits(mask, bitorder="little")


def _write_gaps(head: bytes, positions: Positions, size: int, width: int, entropy_coded: bool, least: int) -> bytes:
    return head + symbols.encode(gaps.encode(positions, size, width), 1 << width, entropy_coded, least)


def come_in_runs(positions: NDArray[np.int64]) -> bool:
    """True if most kept weights stand next to another, as when whole filters are pruned."""
    return int(np.count_nonzero(np.diff(positions) == 1)) * 4 > len(positions) * 3


def _unmask(mask: NDArray[np.uint8], count: int) -> Positions:
    positions = np.flatnonzero(mask)
    if len(positions) != count:
        raise ArtifactError(f"the mask keeps {len(positions)} weights instead of {count}")
    return positions
