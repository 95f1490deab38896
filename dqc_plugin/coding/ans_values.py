"""Values by ANS: the indices of the kept weights in the order of their contexts.

The binary logarithm of the number of lanes, + 16 times the form (byte); where there are several contexts, the number of
those that share a table (byte, 1 or more); for each group of so many contexts, if it has kept weights, its table
(``frequencies.py``); the stream (``rans.py``), of one part; the rest of the tail. An older form starts with three
bytes: the form, 0 or 1; the logarithm; the number of contexts.

Index i of K has magnitude m = min(i, K - 1 - i) and sign s = 1 if i > K - 1 - i, else 0. Its symbol is 2 m + s in form
0, else m. The tail is the signs: bit packed in form 1, by their neighbours (``signs.py``) in form 2. It is the payload
of the stream's lanes, as good as random. In form 1 zeros may follow it; in form 0, with one lane, the stream is bare
and, but for the older form, trimmed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import frequencies, packed, rans
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.rans import WORD_BYTES, Decoder, Segment, lanes_log
from dqc_plugin.errors import ArtifactError

_BYTES_PER_LANE = 3000  # without a payload a lane takes 6 bytes: a fifth of a percent
_PAYLOAD_PER_LANE = 8
_PART = 1 << 16
Indices = NDArray[np.uint8]


class Form(IntEnum):
    """Where the signs are: in the symbols, or apart."""

    JOINT = 0
    APART = 1
    BY_NEIGHBOURS = 2


@dataclass(frozen=True)
class Values:
    """Indices (n,); or magnitudes (n,), and what ``signs.py`` reads their signs from."""

    numbers: Indices
    signs: bytes | None = None


def encode(
    indices: Indices, counts: list[int], codebook_size: int, form: Form, span: int, signs: bytes
) -> bytes | None:
    """Indices (n,) below ``codebook_size``, so many of each context; signs: by their neighbours, if the form is so.

    None where these are too few bytes for the lanes.
    """
    symbols = to_symbols(indices, codebook_size, form)
    tail = packed.pack((indices > symbols).astype(np.uint8), 1) if form == Form.APART else signs
    tables, part = _tables(symbols, counts, alphabet_of(codebook_size, form), span)
    bits = sum(frequencies.bits(np.bincount(of_group, minlength=len(table)), table) for of_group, table in part)
    room = _PAYLOAD_PER_LANE * (int(bits / 8) // _BYTES_PER_LANE)
    log = lanes_log(len(symbols), len(tail) if form == Form.BY_NEIGHBOURS else max(len(tail), room))
    low, stream, used = rans.encode([part], 1 << log, tail if form or log else None)
    if form == Form.BY_NEIGHBOURS and used > len(tail):
        return None
    head = bytes([log | form << 4]) + bytes([span] * (len(counts) > 1)) + tables
    return head + (low + stream + tail[used:] if form or log else rans.trim(low + stream))


def decode(data: bytes, counts: list[int], codebook_size: int, is_old: bool = False) -> Values:
    """The values, so many of each context; ArtifactError if the bytes cannot be that."""
    cursor = Cursor(data)
    form, lanes, span = _take_old_head(cursor) if is_old else _take_head(cursor, len(counts))
    alphabet = alphabet_of(codebook_size, form)
    segments = [(count, frequencies.take(cursor, alphabet)) for count in _groups(counts, span) if count]
    is_bare = lanes == 1 and form == Form.JOINT
    rest = cursor.rest() if is_old or not is_bare else memoryview(rans.untrim(cursor.rest()))
    stream = Decoder(rest[: WORD_BYTES * lanes], rest[WORD_BYTES * lanes :], lanes, is_bare)
    symbols = stream.take(segments)
    tail = b"".join(stream.finish())
    if form == Form.BY_NEIGHBOURS:
        return Values(symbols, tail)
    signs_length = packed.packed_length(len(symbols), 1) if form == Form.APART else 0
    if any(tail[signs_length:]):
        raise ArtifactError("bytes are left over after the values")
    _join(symbols, memoryview(tail)[:signs_length], codebook_size)
    return Values(symbols)


def _join(symbols: Indices, packed_signs: memoryview, codebook_size: int) -> None:
    """The indices in the place of the symbols; their signs are in these if none are given. Parts stay in the cache."""
    for start in range(0, len(symbols), _PART):
        part = symbols[start : start + _PART]
        if packed_signs:
            of_part = packed_signs[start // 8 :][: packed.packed_length(len(part), 1)]
            signs = packed.unpack(of_part.tobytes(), len(part), 1)
        else:
            signs = part & np.uint8(1)
            part >>= np.uint8(1)
        to_indices(part, signs, codebook_size)


def _take_head(cursor: Cursor, contexts: int) -> tuple[Form, int, int]:
    """The form, the number of lanes, and that of contexts which share a table."""
    form, log = divmod(cursor.byte(), 16)
    span = cursor.byte() if contexts > 1 else 1
    return _checked(form, span, Form.BY_NEIGHBOURS), 1 << log, span


def _take_old_head(cursor: Cursor) -> tuple[Form, int, int]:
    form, lanes, span = cursor.byte(), 1 << min(cursor.byte(), 63), cursor.byte()
    return _checked(form, span, Form.APART), lanes, span


def _checked(form: int, span: int, last: Form) -> Form:
    if form > last or not span:
        raise ArtifactError(f"values have an unknown form ({form}, {span})")
    return Form(form)


def to_symbols(indices: Indices, codebook_size: int, form: Form) -> Indices:
    """What stands for each index."""
    mirrored = np.uint8(codebook_size - 1) - indices
    magnitudes: Indices = np.minimum(indices, mirrored)
    return magnitudes if form else magnitudes << np.uint8(1) | (indices > mirrored)


def alphabet_of(codebook_size: int, form: Form) -> int:
    """Number of symbols."""
    return (codebook_size + 1) // 2 if form else codebook_size


def to_indices(magnitudes: Indices, signs: Indices, codebook_size: int) -> Indices:
    """The indices (n,) of magnitudes and signs, both used up: those of sign 1 count from the end."""
    np.negative(signs, out=signs)
    magnitudes ^= signs  # a complement where the sign is 1, since -1 is all ones
    signs &= np.uint8(codebook_size % 256)
    magnitudes += signs
    return magnitudes


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
