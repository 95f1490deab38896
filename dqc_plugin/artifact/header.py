"""The safetensors header of a file: its format, its version and how long the payload is, in version 1 also its index.

It is rebuilt from what it says and the bytes are compared, so no bit of it is without a check.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from dqc_plugin.errors import ArtifactError

VERSION = 2
_FORMAT = "dqc"
_LENGTH_BYTES = 8
_LONGEST = 4096
_DAMAGED = "the header is damaged"


class Seal(NamedTuple):
    """Bytes of the index and their CRC-32. Version 1 has it in the header, in JSON; later ones before the index."""

    length: int
    checksum: int


@dataclass(frozen=True)
class Header:
    """length: bytes of the header, with the 8 before it. payload_length: bytes after it."""

    version: int
    length: int
    payload_length: int
    seal: Seal | None


def encode(payload_length: int, seal: Seal | None = None) -> bytes:
    """The length of the header and the header; of version 1 where there is a seal, else of the present one."""
    metadata = {"format": _FORMAT, "version": str(1 if seal else VERSION)}
    if seal:
        metadata |= {"index": str(seal.length), "crc32": f"{seal.checksum:08x}"}
    payload = {"dtype": "U8", "shape": [payload_length], "data_offsets": [0, payload_length]}
    header = json.dumps({"__metadata__": metadata, "payload": payload}, separators=(",", ":")).encode()
    if seal:
        header = header.ljust(-(-len(header) // 8) * 8)
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header


def read(file: BinaryIO, size: int) -> Header:
    """The header of an open file of so many bytes; ArtifactError if it is none, damaged, or of a newer version."""
    start = file.read(_LENGTH_BYTES)
    length = int.from_bytes(start, "little")
    if length > _LONGEST or size < _LENGTH_BYTES + length or not length:
        raise ArtifactError("this is not a compressed network written by dqc, or only the start of one")
    data = start + file.read(length)
    header = _parse(data)
    if data != encode(header.payload_length, header.seal):
        raise ArtifactError(_DAMAGED)
    return header


def _parse(header: bytes) -> Header:
    try:
        fields: Any = json.loads(header[_LENGTH_BYTES:])
        metadata = fields["__metadata__"]
        is_ours = metadata["format"] == _FORMAT
    except (ValueError, RecursionError, KeyError, TypeError):
        is_ours = False
    if not is_ours:
        raise ArtifactError("this is not a compressed network written by dqc")
    try:
        version = int(metadata["version"])
        if version > VERSION:
            raise ArtifactError(
                f"it is of format version {version} and this program reads up to {VERSION}; install a newer dqc-plugin"
            )
        payload_length = int(fields["payload"]["shape"][0])
        seal = Seal(int(metadata["index"]), int(metadata["crc32"], 16)) if version == 1 else None
    except (ValueError, LookupError, TypeError, OverflowError):
        raise ArtifactError(_DAMAGED) from None
    if min(payload_length, *(seal or (0,))) < 0:
        raise ArtifactError(_DAMAGED)
    return Header(version, len(header), payload_length, seal)
