"""A tensor kept exactly, in the smallest of four forms; the first byte says which.

Raw bytes; the same as a deflate stream; byte planes: the first bytes of all elements, then the second bytes and so
on, each plane a stream of symbols of its own after its length as a varint; or, of few floats, exponents and signs as
decisions beside the mantissas (``coding/floats.py``). Signs and exponents are worth coding, the rest of the mantissa
is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dqc_plugin.artifact.dtypes import from_bytes, on_host, to_bytes
from dqc_plugin.coding import floats, huffman, symbols, varint
from dqc_plugin.coding.cursor import Cursor
from dqc_plugin.coding.floats import Layout
from dqc_plugin.errors import ArtifactError

_RAW, _DEFLATED, _PLANES, _FLOATS = range(4)
_LAYOUTS = {
    torch.float16: Layout(16, 10),
    torch.bfloat16: Layout(16, 7),
    torch.float32: Layout(32, 23),
    torch.float64: Layout(64, 52),
}
_BYTES_PER_BYTE = 255  # what huffman.decode allows


def encode(tensor: Tensor, least: int = 0) -> bytes:
    """The tensor without its dtype and shape, in at least ``least`` bytes (up to one an element)."""
    tensor = on_host(tensor)
    return min((form for form in _forms(to_bytes(tensor), tensor.dtype) if len(form) >= least), key=len)


def decode(data: bytes, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """The tensor of a dtype and shape; ArtifactError, before memory is taken, if the bytes cannot be that."""
    length = math.prod(shape) * dtype.itemsize
    form, content = data[:1], data[1:]
    if form == bytes([_RAW]):
        raw = content
    elif form == bytes([_DEFLATED]):
        raw = huffman.decode(content, length).tobytes()
    elif form == bytes([_PLANES]):
        raw = _join_planes(content, math.prod(shape), dtype.itemsize)
    elif form == bytes([_FLOATS]) and dtype in _LAYOUTS:
        raw = _narrowed(floats.decode(content, math.prod(shape), _LAYOUTS[dtype]), dtype)
    else:
        raise ArtifactError("a tensor has an unknown form")
    return from_bytes(raw, dtype, shape)


def _forms(raw: bytes, dtype: torch.dtype) -> Iterator[bytes]:
    yield bytes([_RAW]) + raw
    numbers = np.frombuffer(raw, np.uint8)
    yield bytes([_DEFLATED]) + huffman.encode(numbers, runs=True, least=-(-len(raw) // _BYTES_PER_BYTE))
    planes = [symbols.encode(plane, 256, entropy_coded=True) for plane in numbers.reshape(-1, dtype.itemsize).T.copy()]
    yield bytes([_PLANES]) + b"".join(varint.put(len(plane)) + plane for plane in planes)
    if dtype in _LAYOUTS:
        decided = floats.encode(np.frombuffer(raw, f"<u{dtype.itemsize}").astype(np.uint64), _LAYOUTS[dtype])
        if decided is not None:
            yield bytes([_FLOATS]) + decided


def _narrowed(bits: NDArray[np.uint64], dtype: torch.dtype) -> bytes:
    return bits.astype(f"<u{dtype.itemsize}").tobytes()


def _join_planes(content: bytes, count: int, width: int) -> bytes:
    cursor = Cursor(content)
    planes = [symbols.decode(cursor.take(cursor.count()), count, 256) for _ in range(width)]
    cursor.end()
    return np.stack(planes, axis=1).tobytes()
