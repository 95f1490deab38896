"""Values by ANS: the indices of the kept weights in the order of their contexts.

A byte, 1 where signs are apart; the binary logarithm of the number of lanes (byte); the number of contexts that share
a table (byte, 1 or more); for each group of so many contexts, if it has kept weights, its table (``frequencies.py``);
the stream (``rans.py``), of one part; the rest of the tail.

Index i of K has magnitude m = min(i, K - 1 - i) and sign s = 1 if i > K - 1 - i, else 0. Its symbol is m where signs
are apart, else 2 m + s. The tail is the signs, if they are apart, bit packed: as good as random in most networks, so
they are the payload of the stream's lanes. The payload is the start of the tail, and zeros after its end; with one
lane and without a tail the stream is bare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import frequencies, packed, rans
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.rans import WORD_BYTES, Decoder, Segment, lanes_log
from dqc_plugin.errors import ArtifactError

_BYTES_PER_LANE = 3000  # without a payload a lane takes 6 bytes: a fifth of a percent
_PAYLOAD_PER_LANE = 8
Indices = NDArray[np.uint8]


def encode(indices: Indices, counts: list[int], codebook_size: int, signs_apart: bool, span: int) -> bytes:
    """Indices (n,) below ``codebook_size``, so many of each context."""
    symbols = to_symbols(indices, codebook_size, signs_apart)
    tail = packed.pack((indices > symbols).astype(np.uint8), 1) if signs_apart else b""
    head, part = _tables(symbols, counts, alphabet_of(codebook_size, signs_apart), span)
    bits = sum(frequencies.bits(np.bincount(of_group, minlength=len(table)), table) for of_group, table in part)
    log = lanes_log(len(symbols), max(len(tail), _PAYLOAD_PER_LANE * (int(bits / 8) // _BYTES_PER_LANE)))
    low, stream, used = rans.encode([part], 1 << log, tail if signs_apart or log else None)
    return bytes([signs_apart, log, span]) + head + low + stream + tail[used:]


def decode(data: bytes, counts: list[int], codebook_size: int) -> Indices:
    """The indices, so many of each context; ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    form, lanes, span = cursor.byte(), 1 << min(cursor.byte(), 63), cursor.byte()
    if form > 1 or not span:
        raise ArtifactError(f"values have an unknown form ({form}, {span})")
    groups = _groups(counts, span)
    alphabet = alphabet_of(codebook_size, bool(form))
    segments = [(count, frequencies.take(cursor, alphabet)) for count in groups if count]
    low = cursor.take(min(WORD_BYTES * lanes, cursor.left))
    stream = Decoder(low, cursor.rest(), lanes, bare=lanes == 1 and not form)
    symbols = stream.take(segments)
    tail = b"".join(stream.finish())
    signs_length = packed.packed_length(len(symbols), 1) if form else 0
    if any(tail[signs_length:]):
        raise ArtifactError("bytes are left over after the values")
    if form:
        return _mirrored(symbols, packed.unpack(tail[:signs_length], len(symbols), 1), codebook_size)
    return _mirrored(symbols >> np.uint8(1), symbols & np.uint8(1), codebook_size)


def to_symbols(indices: Indices, codebook_size: int, signs_apart: bool) -> Indices:
    """What stands for each index."""
    mirrored = np.uint8(codebook_size - 1) - indices
    magnitudes: Indices = np.minimum(indices, mirrored)
    return magnitudes if signs_apart else magnitudes << np.uint8(1) | (indices > mirrored)


def alphabet_of(codebook_size: int, signs_apart: bool) -> int:
    """Number of symbols."""
    return (codebook_size + 1) // 2 if signs_apart else codebook_size


def _mirrored(magnitudes: Indices, signs: Indices, codebook_size: int) -> Indices:
    return np.where(signs == 1, np.uint8(codebook_size - 1) - magnitudes, magnitudes)


def _tables(symbols: Indices, counts: list[int], alphabet: int, span: int) -> tuple[bytes, list[Segment]]:
    head, part = b"", []
    groups = _groups(counts, span)
    for of_group in np.split(symbols, np.cumsum(groups)[:-1]):
        if len(of_group):
            table = frequencies.encode(np.bincount(of_group, minlength=alphabet))
            head += table
            part.append((of_group, frequencies.take(Cursor(table), alphabet)))
    return head, part


def _groups(counts: list[int], span: int) -> list[int]:
    return [sum(counts[at : at + span]) for at in range(0, len(counts), span)]
