"""Codebooks as bytes: a byte for the family, its numbers, and its tensor with dtype and shape."""

from __future__ import annotations

import torch
from torch import Tensor

from dqc_plugin.artifact import plain
from dqc_plugin.artifact.dtypes import FLOATS, code_of, dtype_of, name_of
from dqc_plugin.codebooks import Codebook, PowerOfTwo, SharedValues, from_record
from dqc_plugin.coding import varint
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.errors import ArtifactError

_POWER_OF_TWO, _SHARED_VALUES = range(2)
_CHANNELS_PER_BYTE = 8


def encode(codebook: Codebook) -> bytes:
    """A codebook of one of the built-in families."""
    if isinstance(codebook, PowerOfTwo):
        return bytes([_POWER_OF_TWO, codebook.bits, codebook.zero]) + _encode_vector(codebook.scale)
    if isinstance(codebook, SharedValues):
        return bytes([_SHARED_VALUES]) + _encode_vector(codebook.values)
    raise ArtifactError(f"a codebook of type {type(codebook).__name__} cannot be stored")


def decode(data: bytes) -> Codebook:
    """The codebook, on the CPU; ArtifactError or ConfigError if the bytes are not one."""
    cursor = Cursor(data)
    family = cursor.byte()
    if family == _POWER_OF_TWO:
        bits, zero = cursor.byte(), bool(cursor.byte())
        return from_record({"codebook": "power_of_two", "bits": bits, "zero": zero, "scale": _decode_vector(cursor)})
    if family == _SHARED_VALUES:
        return from_record({"codebook": "shared_values", "values": _decode_vector(cursor)})
    raise ArtifactError(f"unknown codebook family number {family}")


def _encode_vector(tensor: Tensor) -> bytes:
    """dtype, 0 for a number or 1 + length, and the values in no less than a byte for eight: a codebook has 256
    codewords a channel, and a short file must not ask for many."""
    _require_floats(tensor.dtype)
    length = 0 if tensor.dim() == 0 else 1 + len(tensor)
    least = -(-tensor.numel() // _CHANNELS_PER_BYTE)
    return bytes([code_of(tensor.dtype)]) + varint.put(length) + plain.encode(tensor, least)


def _decode_vector(cursor: Cursor) -> Tensor:
    dtype, length = dtype_of(cursor.byte()), cursor.count()
    _require_floats(dtype)
    shape = (length - 1,) if length else ()
    if length - 1 > _CHANNELS_PER_BYTE * cursor.left:
        raise ArtifactError(f"{cursor.left} bytes cannot stand for a codebook of {length - 1} numbers")
    return plain.decode(cursor.take(cursor.left), dtype, shape)


def _require_floats(dtype: torch.dtype) -> None:
    if dtype not in FLOATS:
        raise ArtifactError(f"a codebook is not of floats but of {name_of(dtype)}")
