"""The bytes of an index as a deflate stream after their number (varint), with the names of PyTorch for a start."""

from __future__ import annotations

import numpy as np

from dqc_plugin.coding import huffman, varint
from dqc_plugin.coding.cursor import Cursor, Data

_BYTES_PER_BYTE = 255  # what huffman.decode allows

# What the entries of a small network are likely to have, the likeliest last. It is part of the format.
DICTIONARY = (
    b"num_batches_tracked\7\0running_var\0\0\1running_mean\0\0\1downsample.classifier.encoder.layers.0.self_attn."
    b"features.0.layer1.0.linear.bias\0\0\1weight\1\0\2bn1.bias\0\0\1\7fc2.bias\0\0\1\nfc2.weight\1\0\2\10fc1.bias"
    b"\0\0\1\nfc1.weight\1\0\2\7huffman\nconv2.bias\0\0\1\14conv2.weight\1\0\4\3\3\nconv1.bias\0\0\1\14conv1.weight"
    b"\1\0\4\5\5\4best"
)
_DICTIONARY_OF_VERSION_1 = b""


def pack(raw: bytes) -> bytes:
    """The stream of those bytes."""
    symbols, least = np.frombuffer(raw, np.uint8), -(-len(raw) // _BYTES_PER_BYTE)
    return varint.put(len(raw)) + huffman.encode(symbols, runs=True, least=least, dictionary=DICTIONARY)


def unpack(data: Data, version: int) -> bytes:
    """The bytes of a stream in a file of that version; ArtifactError if it is damaged or not as long as it says."""
    cursor = Cursor(data)
    length = cursor.count()
    dictionary = _DICTIONARY_OF_VERSION_1 if version == 1 else DICTIONARY
    return huffman.decode(cursor.rest(), length, dictionary).tobytes()
