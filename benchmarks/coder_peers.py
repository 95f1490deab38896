"""Coders under one interface: the layers of a network to bytes, and back to a symbol for each weight.

A symbol is 0 for a dropped weight, else 1 + the index of its codeword. Peers that are not installed are left out. Each
peer's bytes hold its tables: without them nothing could be decoded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import Coded, KeptIndices
from dqc_plugin.registry import lookup

Symbols = NDArray[np.uint8]
_SYMBOLS = np.arange(1, 257).astype(np.uint8)  # of the indices


@dataclass(frozen=True)
class Layer:
    """A tensor's kept weights, and the number of its codewords."""

    kept: KeptIndices
    codewords: int

    @property
    def symbols(self) -> Symbols:
        return to_symbols(self.kept)


class Peer(Protocol):
    """encode gives anything that :meth:`size` measures in bytes and :meth:`decode` reads."""

    name: str

    def encode(self, layer: Layer) -> Any: ...

    def size(self, coded: Any) -> int: ...

    def decode(self, coded: Any, layer: Layer) -> Symbols: ...


def to_symbols(kept: Any) -> Symbols:
    """Symbols (size,) of what an encoder takes or a decoder gives."""
    symbols = np.zeros(kept.size, np.uint8)
    kept.put(_SYMBOLS, symbols)
    return symbols


def peers(names: list[str] | None = None) -> Iterator[Peer]:
    """This package's coders and those that are installed."""
    for coder in ("best", "huffman", "packed"):
        yield Own(coder)
    yield Deflate()
    optional: dict[str, Callable[[], Peer]] = {
        "nncodec": DeepCabac,
        "nncodec.extensions": partial(DeepCabac, tuned=True),
        "constriction": Constriction,
        "zstandard": Zstandard,
        "bitarray": Bitarray,
        "dahuffman": Dahuffman,
    }
    for module, make in optional.items():
        if find_spec(module) and (names is None or module in names):
            yield make()


class Own:
    """A coder of this package."""

    def __init__(self, coder: str) -> None:
        self.name, self._coder = f"dqc {coder}", lookup("coder", coder).load()

    def encode(self, layer: Layer) -> Coded:
        coded: Coded = self._coder.encode(layer.kept, layer.codewords)
        return coded

    def size(self, coded: Coded) -> int:
        return len(coded)

    def decode(self, coded: Coded, layer: Layer) -> Symbols:
        kept = layer.kept
        return to_symbols(self._coder.decode(coded, kept.size, len(kept.indices), layer.codewords))


class Deflate:
    """The standard library's zlib: Huffman codes of the symbols, nothing else."""

    name = "zlib, Huffman only"

    def encode(self, layer: Layer) -> bytes:
        coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
        return coder.compress(layer.symbols.data) + coder.flush()

    def size(self, coded: bytes) -> int:
        return len(coded)

    def decode(self, coded: bytes, layer: Layer) -> Symbols:
        return np.frombuffer(zlib.decompress(coded, -15), np.uint8)


class Zstandard:
    """Level 19, on a byte for each symbol."""

    name = "zstandard 19"

    def encode(self, layer: Layer) -> bytes:
        import zstandard

        return bytes(zstandard.ZstdCompressor(level=19).compress(layer.symbols.tobytes()))

    def size(self, coded: bytes) -> int:
        return len(coded)

    def decode(self, coded: bytes, layer: Layer) -> Symbols:
        import zstandard

        return np.frombuffer(zstandard.ZstdDecompressor().decompress(coded), np.uint8)


class Bitarray:
    """Canonical Huffman codes of the symbols; the table is a length for each."""

    name = "bitarray Huffman"

    def encode(self, layer: Layer) -> tuple[Any, list[int], list[int]]:
        from bitarray import bitarray, util

        symbols = layer.symbols
        counts = np.bincount(symbols)
        codes, lengths, order = util.canonical_huffman({int(s): int(counts[s]) for s in np.flatnonzero(counts)})
        bits = bitarray()
        bits.encode(codes, symbols.tolist())
        return bits, lengths, order

    def size(self, coded: tuple[Any, list[int], list[int]]) -> int:
        bits, _, order = coded
        return -(-len(bits) // 8) + len(order)

    def decode(self, coded: tuple[Any, list[int], list[int]], layer: Layer) -> Symbols:
        from bitarray import util

        return np.fromiter(util.canonical_decode(*coded), np.uint8, layer.kept.size)


class Dahuffman:
    """Huffman codes of the symbols in pure Python."""

    name = "dahuffman"

    def encode(self, layer: Layer) -> tuple[bytes, Any]:
        from dahuffman import HuffmanCodec

        symbols = layer.symbols.tobytes()
        codec = HuffmanCodec.from_data(symbols)
        return codec.encode(symbols), codec

    def size(self, coded: tuple[bytes, Any]) -> int:
        return len(coded[0]) + len(coded[1].get_code_table())

    def decode(self, coded: tuple[bytes, Any], layer: Layer) -> Symbols:
        return np.frombuffer(coded[1].decode(coded[0]), np.uint8)


class Constriction:
    """ANS with one table of the symbols, two bytes each."""

    name = "constriction ANS"

    def encode(self, layer: Layer) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        import constriction

        symbols = layer.symbols
        shares = np.bincount(symbols, minlength=2).astype(np.float32) / len(symbols)
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(symbols.astype(np.int32), _categorical(shares))
        return coder.get_compressed(), shares

    def size(self, coded: tuple[NDArray[np.uint32], NDArray[np.float32]]) -> int:
        return int(coded[0].nbytes) + 2 * len(coded[1])

    def decode(self, coded: tuple[NDArray[np.uint32], NDArray[np.float32]], layer: Layer) -> Symbols:
        import constriction

        coder = constriction.stream.stack.AnsCoder(coded[0])
        symbols: NDArray[np.int32] = coder.decode(_categorical(coded[1]), layer.kept.size)
        return symbols.astype(np.uint8)


def _categorical(shares: NDArray[np.float32]) -> Any:
    import constriction

    return constriction.stream.model.Categorical(np.maximum(shares, 1e-9), perfect=False)


class DeepCabac:
    """DeepCABAC (NNC, ISO/IEC 15938-17) of nncodec, on signed levels.

    A level is 0 for a dropped weight, else the distance of the codeword from the codebook's middle. With nncodec's
    defaults; or tuned, for each layer the smallest of 32: levels so or the most frequent first, four lengths of the
    unary part, fitted states or not, rows skipped or not. What was chosen is not counted in the bytes.
    """

    _TRIED = 1 << 20  # weights; larger layers have the defaults

    def __init__(self, tuned: bool = False) -> None:
        self.name = "nncodec DeepCABAC, tuned" if tuned else "nncodec DeepCABAC"
        self._tuned = tuned
        self._settings: dict[int, tuple[int, int, int, int]] = {}

    def encode(self, layer: Layer) -> tuple[NDArray[np.uint8], int, NDArray[np.int32]]:
        settings = self._settings.get(id(layer)) or self._choose(layer)
        return self._encode(layer, *settings)

    def size(self, coded: tuple[NDArray[np.uint8], int, NDArray[np.int32]]) -> int:
        return len(coded[0])

    def decode(self, coded: tuple[NDArray[np.uint8], int, NDArray[np.int32]], layer: Layer) -> Symbols:
        from nncodec.extensions import deepCABAC
        from nncodec.nnc_core.hdsp.hdsp_tool import HDSP_OPTS_OFF

        data, unary, table = coded
        found = np.zeros((_rows(layer), layer.kept.size // _rows(layer)), np.int32)
        decoder = deepCABAC.Decoder()
        decoder.setStream(data)
        decoder.initCtxModels(unary)
        decoder.decodeLayer(found, 0, 0, 1, 0, *HDSP_OPTS_OFF(), 0, 0)
        decoder.finish()
        return _inverse(table)[found.reshape(-1)]

    def _choose(self, layer: Layer) -> tuple[int, int, int, int]:
        choices = list(product((0, 1), (10, 1, 4, 15), (1, 0), (1, 0)))
        tried = choices if self._tuned and layer.kept.size <= self._TRIED else choices[:1]
        self._settings[id(layer)] = min(tried, key=lambda settings: len(self._encode(layer, *settings)[0]))
        return self._settings[id(layer)]

    def _encode(
        self, layer: Layer, numbering: int, unary: int, states: int, skip: int
    ) -> tuple[NDArray[np.uint8], int, NDArray[np.int32]]:
        from nncodec.extensions import deepCABAC
        from nncodec.nnc_core.hdsp.hdsp_tool import HDSP_OPTS_OFF

        table = _levels(layer, numbering)
        levels = np.ascontiguousarray(table[layer.symbols].reshape(_rows(layer), -1))
        skipped = (~levels.any(1)).astype(np.int32) if skip else np.zeros(len(levels), np.int32)
        encoder = deepCABAC.Encoder()
        encoder.initCtxModels(unary, states)
        encoder.encodeLayer(levels, 0, 0, 1, 0, skip, skipped, *HDSP_OPTS_OFF(), 0, 0)
        return encoder.finish(), unary, table


def _rows(layer: Layer) -> int:
    return layer.kept.shape[0] if layer.kept.shape else 1


def _levels(layer: Layer, numbering: int) -> NDArray[np.int32]:
    """The signed level of each symbol."""
    indices = np.arange(layer.codewords)
    middle = layer.codewords // 2
    levels = indices - middle
    if layer.codewords % 2 == 0 or bool((layer.kept.indices == middle).any()):
        levels = levels + (indices >= middle)  # no codeword is zero
    if numbering:
        counts = np.bincount(np.abs(levels)[layer.kept.indices], minlength=int(levels.max()) + 1)
        ranks = np.empty(len(counts), np.int64)
        ranks[[0, *(1 + np.argsort(-counts[1:], kind="stable"))]] = np.arange(len(counts))
        levels = np.sign(levels) * ranks[np.abs(levels)]
    return np.concatenate(([0], levels)).astype(np.int32)


def _inverse(table: NDArray[np.int32]) -> Symbols:
    """Symbol of each level, to be indexed with negative ones too."""
    inverse = np.zeros(2 * int(np.abs(table).max()) + 1, np.uint8)
    inverse[table] = np.arange(len(table))
    inverse[0] = 0
    return inverse
