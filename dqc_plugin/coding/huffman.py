"""Huffman coding of bytes by zlib: raw deflate (RFC 1951) with literals only.

zlib codes and decodes at C speed, and makes a new table every 32k symbols.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.errors import ArtifactError

_RAW = -15  # deflate without zlib's header and checksum
_MEMORY = 9  # the longest blocks, so the fewest tables


def encode(symbols: NDArray[np.uint8]) -> bytes:
    """Symbols (n,) as one deflate stream."""
    coder = zlib.compressobj(9, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(np.ascontiguousarray(symbols)) + coder.flush()


def decode(data: bytes, count: int) -> NDArray[np.uint8]:
    """The ``count`` symbols of a stream.

    Raises ArtifactError if the stream is damaged, cut, longer than its symbols or holds another number of them.
    Takes no more memory than ``count`` bytes, and none where a stream of that length cannot hold so many symbols.
    """
    if count > 8 * len(data):
        raise ArtifactError(f"{len(data)} bytes cannot hold {count} Huffman codes")
    decoder = zlib.decompressobj(_RAW)
    try:
        symbols = decoder.decompress(data, count + 1)
    except zlib.error as error:
        raise ArtifactError(f"the Huffman codes are damaged ({error})") from None
    if len(symbols) != count or not decoder.eof or decoder.unused_data:
        raise ArtifactError(f"the Huffman codes do not end after {count} symbols")
    return np.frombuffer(symbols, np.uint8)
