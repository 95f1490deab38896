"""The index of a file: what each blob of the payload is, in a compact binary form.

It holds the user's metadata (text, JSON or empty), the number of entries (varint) and the entries; blobs lie in the
payload in their order, without gaps. An entry is a name (text), a kind (byte) and
  - exact:     dtype (byte), shape (counts), length (varint), checksum
  - quantized: dtype, shape, coder (text), kept weights, lengths of codebook, positions and indices (varints), checksum
  - alias:     the number of an earlier entry that is the same tensor (varint)
Text is a length (varint) and UTF-8; counts are their number and each one, varints; a checksum is the CRC-32 of the
entry's blobs, 4 bytes, little-endian.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dqc_plugin.artifact import packed_index
from dqc_plugin.artifact.dtypes import code_of, dtype_of
from dqc_plugin.artifact.header import VERSION
from dqc_plugin.coding import varint
from dqc_plugin.coding.cursor import Cursor, text
from dqc_plugin.errors import ArtifactError

_EXACT, _QUANTIZED, _ALIAS = range(3)
_MOST_DIMENSIONS = 64
_MOST_ELEMENTS = 1 << 56


@dataclass(frozen=True)
class Exact:
    """A tensor whose bytes are kept."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    length: int
    checksum: int


@dataclass(frozen=True)
class Quantized:
    """A tensor on a codebook; ``kept`` of its weights are not zero."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    coder: str
    kept: int
    codebook_length: int
    positions_length: int
    indices_length: int
    checksum: int

    @property
    def length(self) -> int:
        return self.codebook_length + self.positions_length + self.indices_length


@dataclass(frozen=True)
class Alias:
    """A second name of a tensor."""

    name: str
    of: str
    length: int = 0


Entry = Exact | Quantized | Alias


@dataclass(frozen=True)
class Index:
    """Entries in the order of their blobs, and the user's metadata."""

    entries: tuple[Entry, ...]
    metadata: Mapping[str, Any]

    def with_offsets(self) -> Iterator[tuple[Entry, int]]:
        """Each entry and where its blobs start, counted from the end of the index."""
        offset = 0
        for entry in self.entries:
            yield entry, offset
            offset += entry.length

    @property
    def payload_length(self) -> int:
        """Bytes of all blobs."""
        return sum(entry.length for entry in self.entries)


def encode(index: Index) -> bytes:
    """The bytes of an index, packed."""
    numbers = {entry.name: number for number, entry in enumerate(index.entries)}
    raw = text(encode_metadata(index.metadata)) + varint.put(len(index.entries))
    raw += b"".join(_encode_entry(entry, numbers) for entry in index.entries)
    return packed_index.pack(raw)


def encode_metadata(metadata: Mapping[str, Any]) -> str:
    """The metadata as it is in a file; ArtifactError if it is not a mapping that JSON can hold."""
    if not metadata:
        return ""
    try:
        document = json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        document.encode()  # fails for half of a surrogate pair
        json.loads(document)  # fails where it is nested too deeply to be read
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the metadata is not a mapping that JSON can hold ({error})") from None
    return document


def decode(data: bytes, version: int = VERSION) -> Index:
    """The index of those bytes in a file of that version.

    Raises ArtifactError if any count, name, number or length in it is impossible.
    """
    cursor = Cursor(packed_index.unpack(data, version))
    metadata = _decode_metadata(cursor.text())
    entries: list[Entry] = []
    names: set[str] = set()
    for _ in range(cursor.count()):
        entry = _decode_entry(cursor, entries)
        if entry.name in names:  # at once: equal entries deflate to next to nothing, and there may be millions
            raise ArtifactError("a name is there twice")
        names.add(entry.name)
        entries.append(entry)
    cursor.end()
    return Index(tuple(entries), metadata)


def _encode_entry(entry: Entry, numbers: Mapping[str, int]) -> bytes:
    name = text(_printable(entry.name))
    if isinstance(entry, Alias):
        return name + bytes([_ALIAS]) + varint.put(numbers[entry.of])
    kind = _QUANTIZED if isinstance(entry, Quantized) else _EXACT
    tensor = bytes([code_of(entry.dtype)]) + _counts(entry.shape)
    if isinstance(entry, Quantized):
        lengths = (entry.kept, entry.codebook_length, entry.positions_length, entry.indices_length)
        tensor += text(entry.coder) + b"".join(map(varint.put, lengths))
    else:
        tensor += varint.put(entry.length)
    return name + bytes([kind]) + tensor + entry.checksum.to_bytes(4, "little")


def _decode_entry(cursor: Cursor, earlier: Sequence[Entry]) -> Entry:
    name, kind = _printable(cursor.text()), cursor.byte()
    if kind == _ALIAS:
        number = cursor.count()
        if number >= len(earlier) or isinstance(earlier[number], Alias):
            raise ArtifactError(f"{name!r} stands for a tensor that does not come before it")
        return Alias(name, earlier[number].name)
    if kind not in (_EXACT, _QUANTIZED):
        raise ArtifactError(f"{name!r} is of an unknown kind ({kind})")
    dtype, shape = dtype_of(cursor.byte()), _shape(cursor)
    if kind == _EXACT:
        return Exact(name, dtype, shape, cursor.count(), _checksum(cursor))
    coder, kept = cursor.text(), cursor.count()
    if kept > math.prod(shape):
        raise ArtifactError(f"{name!r} keeps {kept} of {math.prod(shape)} weights")
    return Quantized(name, dtype, shape, coder, kept, cursor.count(), cursor.count(), cursor.count(), _checksum(cursor))


def _printable(name: str) -> str:
    """The name; it goes to terminals, so one that could steer them is an error."""
    if not name.isprintable():
        raise ArtifactError(f"a tensor has the name {name!r}; names in files must be printable")
    return name


def _counts(values: tuple[int, ...]) -> bytes:
    _require_few(len(values))
    return b"".join(map(varint.put, (len(values), *values)))


def _shape(cursor: Cursor) -> tuple[int, ...]:
    dimensions = cursor.count()
    _require_few(dimensions)
    shape = tuple(cursor.count() for _ in range(dimensions))
    if math.prod(max(size, 1) for size in shape) > _MOST_ELEMENTS:
        raise ArtifactError(f"a tensor of shape {list(shape)}")
    return shape


def _require_few(dimensions: int) -> None:
    if dimensions > _MOST_DIMENSIONS:
        raise ArtifactError(f"a tensor of {dimensions} dimensions; files hold at most {_MOST_DIMENSIONS}")


def _checksum(cursor: Cursor) -> int:
    return int.from_bytes(cursor.take(4), "little")


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):
        raise ValueError(f"{number} is no number of JSON")
    return float(number)


def _decode_metadata(document: str) -> dict[str, Any]:
    try:
        metadata = json.loads(document, parse_float=_finite, parse_constant=_finite) if document else {}
    except (ValueError, RecursionError):
        raise ArtifactError("the metadata is not JSON") from None
    if not isinstance(metadata, dict):
        raise ArtifactError("the metadata is not a mapping")
    return metadata
