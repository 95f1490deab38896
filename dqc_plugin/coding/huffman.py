"""Huffman coding of bytes by zlib: raw deflate (RFC 1951), with literals only where symbols do not come in runs.

zlib codes and decodes at C speed, and makes a new table every 32k symbols.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding.cursor import Data
from dqc_plugin.errors import ArtifactError

_RAW = -15  # deflate without zlib's header and checksum
_MEMORY = 9  # the longest blocks, so the fewest tables
_EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # a stored block of no bytes
_LITERALS, _RUNS = (9, zlib.Z_HUFFMAN_ONLY), (6, zlib.Z_DEFAULT_STRATEGY)  # level and strategy
_SYMBOLS_PER_BYTE = 255


def encode(symbols: NDArray[np.uint8], runs: bool = False, least: int = 0, dictionary: bytes = b"") -> bytes:
    """Symbols (n,) as one deflate stream of at least ``least`` bytes.

    ``runs`` lets it refer back to earlier symbols, and to the ``dictionary`` as if that came before them.
    """
    level, strategy = _RUNS if runs else _LITERALS
    coder = zlib.compressobj(level, zlib.DEFLATED, _RAW, _MEMORY, strategy, dictionary)
    data = coder.compress(np.ascontiguousarray(symbols).data) + coder.flush()
    missing_blocks = max(0, -(-(least - len(data)) // len(_EMPTY_BLOCK)))
    return _EMPTY_BLOCK * missing_blocks + data


def decode(data: Data, count: int, dictionary: bytes = b"") -> NDArray[np.uint8]:
    """The ``count`` symbols of a stream written with that dictionary.

    Raises ArtifactError if the stream is damaged, cut, longer than its symbols or holds another number of them.
    Takes no more memory than ``count`` bytes, and none where a stream of that length cannot hold so many symbols.
    """
    if count > _SYMBOLS_PER_BYTE * len(data):
        raise ArtifactError(f"{len(data)} bytes cannot hold {count} Huffman codes")
    decoder = zlib.decompressobj(_RAW, dictionary)
    try:
        symbols = decoder.decompress(data, count + 1)
    except zlib.error as error:
        raise ArtifactError(f"the Huffman codes are damaged ({error})") from None
    if len(symbols) != count or not decoder.eof or decoder.unused_data:
        raise ArtifactError(f"the Huffman codes do not end after {count} symbols")
    return np.frombuffer(symbols, np.uint8)
