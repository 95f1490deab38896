"""Coders of one tensor: the positions of its kept weights and their indices, to bytes and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dqc_plugin.coding import native, positions, symbols
from dqc_plugin.coding.gaps import Gaps

_PART = 1 << 14  # weights that are looked up at once, with eight bytes for each index
Places = slice | NDArray[np.int64]
Values = NDArray[np.signedinteger[Any]]
"""The bits of floats, as integers of their width."""


@dataclass(frozen=True)
class KeptIndices:
    """The weights of a tensor that are not zero.

    size: weights in the tensor.
    positions: int64 (n,), in the flattened tensor; None if every weight is kept. Encoders take them ascending;
        decoders may give them in any order.
    indices: uint8 (n,), the codeword of each.
    shape: of the tensor, if known: a coder may look for rows and columns that are alike.
    """

    size: int
    positions: NDArray[np.int64] | None
    indices: NDArray[np.uint8]
    shape: tuple[int, ...] = ()

    def ascending(self) -> KeptIndices:
        """The same with ascending positions."""
        if self.positions is None:
            return self
        order = np.argsort(self.positions)
        return replace(self, positions=self.positions[order], indices=self.indices[order])

    def parts(self) -> Iterator[tuple[Places, NDArray[np.uint8]]]:
        """Where some weights are, and their indices; so many at a time stay in the cache."""
        for start in range(0, len(self.indices), _PART):
            part = slice(start, min(start + _PART, len(self.indices)))
            yield part if self.positions is None else self.positions[part], self.indices[part]

    def put(self, table: Values, weights: Values) -> None:
        """Write the values of a table (codebook size,) to where the weights (size,) are."""
        _put_parts(self.parts(), table, weights)


@dataclass(frozen=True)
class KeptByGaps:
    """:class:`KeptIndices` as a decoder may give them: their positions are made only as they are used."""

    size: int
    gaps: Gaps
    indices: NDArray[np.uint8]

    @property
    def positions(self) -> NDArray[np.int64]:
        return self.gaps.positions()

    def ascending(self) -> KeptIndices:
        return KeptIndices(self.size, self.positions, self.indices)

    def parts(self) -> Iterator[tuple[Places, NDArray[np.uint8]]]:
        start = 0
        for places in self.gaps.parts():
            yield places, self.indices[start : start + len(places)]
            start += len(places)

    def put(self, table: Values, weights: Values) -> None:
        """As :meth:`KeptIndices.put`."""
        if native.LIBRARY:
            native.scatter(self.gaps.fields, self.gaps.filler, self.indices, table, weights)
        else:
            _put_parts(self.parts(), table, weights)


def _put_parts(parts: Iterator[tuple[Places, NDArray[np.uint8]]], table: Values, weights: Values) -> None:
    for places, indices in parts:
        weights[places] = table.take(indices)


Decoded = KeptIndices | KeptByGaps


@dataclass(frozen=True)
class Coded:
    """The two byte streams of a tensor."""

    positions: bytes
    indices: bytes

    def __len__(self) -> int:
        return len(self.positions) + len(self.indices)


@dataclass(frozen=True)
class PlainSize:
    """What a tensor takes before entropy coding.

    entries: symbols in each stream, kept weights and fillers with a value.
    positions: bytes; index_bits: bits of each entry's value.
    """

    entries: int
    positions: int
    index_bits: int


class Coder(Protocol):
    """What ``coder:`` in a schedule names."""

    def encode(self, kept: KeptIndices, codebook_size: int) -> Coded:
        """Bytes from which :meth:`decode` gives the same back; every index is below ``codebook_size`` (1 to 256)."""

    def decode(self, coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
        """The ``count`` kept of ``size`` weights, in arrays that the caller may use up.

        The bytes may be anyone's: raises ArtifactError, and takes no memory that they do not account for, if they
        are not what ``encode`` makes.
        """


@runtime_checkable
class HasPlainSize(Protocol):
    """A coder that has a form of its own before entropy coding; ``inspect`` compares others with ``packed``."""

    def plain_size(self, kept: KeptIndices, codebook_size: int) -> PlainSize: ...


@dataclass(frozen=True)
class StreamCoder:
    """Each stream in the smallest of its forms; without entropy coding, bit packed."""

    entropy_coded: bool

    def encode(self, kept: KeptIndices, codebook_size: int) -> Coded:
        return Coded(
            positions.encode(kept.positions, kept.size, self.entropy_coded),
            symbols.encode(kept.indices, codebook_size, self.entropy_coded),
        )

    def estimate(self, kept: KeptIndices, codebook_size: int) -> float:
        """About the bytes of :meth:`encode` with entropy coding."""
        of_indices = symbols.estimate(kept.indices, codebook_size, True)
        return positions.estimate(kept.positions, kept.size) + of_indices

    def decode(self, coded: Coded, size: int, count: int, codebook_size: int) -> Decoded:
        places = positions.decode(coded.positions, count, size)
        indices = symbols.decode(coded.indices, count, codebook_size)
        return KeptByGaps(size, places, indices) if isinstance(places, Gaps) else KeptIndices(size, places, indices)


huffman = StreamCoder(entropy_coded=True)
packed = StreamCoder(entropy_coded=False)
