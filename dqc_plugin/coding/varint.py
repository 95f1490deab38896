"""Counts in few bytes: unsigned LEB128, seven bits a byte, the lowest first, the top bit set on all but the last."""

from __future__ import annotations

from dqc_plugin.errors import ArtifactError

MAX_BYTES = 9  # 63 bits: every count fits a signed 64-bit integer


def put(value: int) -> bytes:
    """The bytes of a count from 0 to 2^63 - 1."""
    if not 0 <= value < 1 << 7 * MAX_BYTES:
        raise ArtifactError(f"{value} is not a count that the file can hold")
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def take(data: bytes | memoryview, at: int = 0) -> tuple[int, int]:
    """The count that starts at an offset, and the offset after it; ArtifactError if it is cut or too long."""
    value = 0
    for step, byte in enumerate(data[at : at + MAX_BYTES]):
        value |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            return value, at + step + 1
    raise ArtifactError("a count is cut or too long")
