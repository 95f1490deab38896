"""The carrier: a safetensors file with one tensor of bytes, ``payload``: the seal of the index, the index, the blobs.

The seal is the index's length (varint) and CRC-32; the index holds a CRC-32 of each blob.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dqc_plugin.artifact import header as headers
from dqc_plugin.artifact.header import Header, Seal
from dqc_plugin.coding import varint
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.errors import ArtifactError
from dqc_plugin.replacing import replacing

_LONGEST_SEAL = varint.MAX_BYTES + 4


@dataclass(frozen=True)
class Container:
    """An open file whose header and index are sound.

    version: of the format.
    index: bytes of the index.
    blobs_length: bytes after it.
    """

    version: int
    index: bytes
    blobs_length: int
    _file: BinaryIO
    _blobs_start: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes after the index."""
        self._file.seek(self._blobs_start + offset)
        return self._file.read(length)


def write(path: Path, index: bytes, blobs: Iterable[bytes], length: int) -> None:
    """Write a file beside ``path``, then rename it: the old file or the whole new one is there, never a part.

    length: bytes of all blobs.
    """
    try:
        with replacing(path) as beside, beside.open("wb") as file:
            file.write(head(index, length))
            file.writelines(blobs)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise ArtifactError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error


def head(index: bytes, length: int) -> bytes:
    """What a file has before its blobs, which are so many bytes."""
    start = varint.put(len(index)) + zlib.crc32(index).to_bytes(4, "little") + index
    return headers.encode(len(start) + length) + start


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """The container of a file; ArtifactError if it is not one of this format, damaged, cut, or of a newer version."""
    try:
        if not path.exists():
            raise ArtifactError("there is no such file")
        if not path.is_file():
            raise ArtifactError("this is not a file")
        with path.open("rb") as file:
            yield _open(file, path.stat().st_size)
    except OSError as error:
        raise ArtifactError(f"it cannot be read ({error.strerror})") from error


def _open(file: BinaryIO, size: int) -> Container:
    header = headers.read(file, size)
    expected = header.length + header.payload_length
    if size != expected:
        raise ArtifactError(f"the file has {size} bytes and should have {expected}; copy it again")
    seal, start = _seal(file, header)
    blobs_start = start + seal.length
    if blobs_start > size:
        raise ArtifactError("the header is damaged")
    file.seek(start)
    index = file.read(seal.length)
    if zlib.crc32(index) != seal.checksum:
        raise ArtifactError("the index is damaged (its checksum differs)")
    return Container(header.version, index, size - blobs_start, file, blobs_start)


def _seal(file: BinaryIO, header: Header) -> tuple[Seal, int]:
    """The seal, and where in the file the index starts."""
    if header.seal:
        return header.seal, header.length
    start = Cursor(file.read(_LONGEST_SEAL))
    length = start.left
    seal = Seal(start.count(), int.from_bytes(start.take(4), "little"))
    return seal, header.length + length - start.left
