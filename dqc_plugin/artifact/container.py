"""The carrier: a safetensors file with one tensor of bytes, ``payload``: the index and after it the blobs.

The safetensors header holds format, version, and the length and CRC-32 of the index; the index holds a CRC-32 of each
blob. A reader rebuilds the header from what it says and compares the bytes, so no bit of a file is without a check.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dqc_plugin.errors import ArtifactError

VERSION = 1
_FORMAT = "dqc"
_LENGTH_BYTES = 8
_LONGEST_HEADER = 4096


@dataclass(frozen=True)
class Container:
    """An open file whose header and index are sound.

    index: bytes of the index.
    blobs_length: bytes after it.
    """

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
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(head(index, length))
            file.writelines(blobs)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        beside.unlink(missing_ok=True)


def head(index: bytes, length: int) -> bytes:
    """What a file has before its blobs, which are so many bytes."""
    return _header(len(index) + length, len(index), zlib.crc32(index)) + index


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
    start = file.read(_LENGTH_BYTES)
    header_length = int.from_bytes(start, "little")
    if header_length > _LONGEST_HEADER or size < _LENGTH_BYTES + header_length or not header_length:
        raise ArtifactError("this is not a compressed network written by dqc, or only the start of one")
    header = start + file.read(header_length)
    payload_length, index_length, checksum = _parse(header)
    if header != _header(payload_length, index_length, checksum) or index_length > payload_length:
        raise ArtifactError("the header is damaged")
    expected = len(header) + payload_length
    if size != expected:
        raise ArtifactError(f"the file has {size} bytes and should have {expected}; copy it again")
    index = file.read(index_length)
    if zlib.crc32(index) != checksum:
        raise ArtifactError("the index is damaged (its checksum differs)")
    return Container(index, payload_length - index_length, file, len(header) + index_length)


def _header(payload_length: int, index_length: int, checksum: int) -> bytes:
    """The length of the safetensors header and the header, padded with spaces to 8 bytes."""
    header = json.dumps(
        {
            "__metadata__": {
                "format": _FORMAT,
                "version": str(VERSION),
                "index": str(index_length),
                "crc32": f"{checksum:08x}",
            },
            "payload": {"dtype": "U8", "shape": [payload_length], "data_offsets": [0, payload_length]},
        },
        separators=(",", ":"),
    ).encode()
    header = header.ljust(-(-len(header) // 8) * 8)
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header


def _parse(header: bytes) -> tuple[int, int, int]:
    """Payload length, index length and checksum that a header states."""
    try:
        fields: Any = json.loads(header[_LENGTH_BYTES:])
        metadata = fields["__metadata__"]
        is_ours = metadata["format"] == _FORMAT
    except (ValueError, RecursionError, KeyError, TypeError):
        is_ours = False
    if not is_ours:
        raise ArtifactError("this is not a compressed network written by dqc")
    try:
        if int(metadata["version"]) > VERSION:
            raise ArtifactError(
                f"it is of format version {int(metadata['version'])} and this program reads up to {VERSION}; "
                "install a newer dqc-plugin"
            )
        numbers = int(fields["payload"]["shape"][0]), int(metadata["index"]), int(metadata["crc32"], 16)
    except (ValueError, LookupError, TypeError, OverflowError):
        raise ArtifactError("the header is damaged") from None
    if min(numbers) < 0:
        raise ArtifactError("the header is damaged")
    return numbers
