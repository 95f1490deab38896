"""Reading the tensors of a file one by one."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dqc_plugin.artifact import plain, records
from dqc_plugin.artifact.container import Container, open_container
from dqc_plugin.artifact.index import Alias, Entry, Exact, Index, Quantized
from dqc_plugin.artifact.index import decode as decode_index
from dqc_plugin.artifact.quantized import to_weights
from dqc_plugin.codebooks import Codebook
from dqc_plugin.coding import Coded, Coder, Decoded
from dqc_plugin.errors import ArtifactError, DQCError, did_you_mean
from dqc_plugin.registry import lookup


@dataclass(frozen=True)
class Reader:
    """An open file with a sound header and index."""

    index: Index
    _container: Container

    @property
    def version(self) -> int:
        """Of the format."""
        return self._container.version

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every name with its tensor on the CPU, one decoded at a time; an alias gives the same tensor again."""
        shared = {entry.of for entry in self.index.entries if isinstance(entry, Alias)}
        held: dict[str, Tensor] = {}
        for entry, offset in self.index.with_offsets():
            tensor = held[entry.of] if isinstance(entry, Alias) else decode_tensor(entry, self._read(entry, offset))
            if entry.name in shared:
                held[entry.name] = tensor
            yield entry.name, tensor

    def tensor(self, name: str) -> Tensor:
        """One tensor; no other is read. ArtifactError if the file has none of that name."""
        found = {entry.name: (entry, offset) for entry, offset in self.index.with_offsets()}
        if name not in found:
            raise ArtifactError(f"it has no tensor {name!r}{did_you_mean(name, found)}")
        entry, offset = found[name]
        if isinstance(entry, Alias):
            return self.tensor(entry.of)
        return decode_tensor(entry, self._read(entry, offset))

    def blobs(self) -> Iterator[tuple[Entry, bytes]]:
        """Every entry with its bytes, their checksum compared."""
        for entry, offset in self.index.with_offsets():
            yield entry, self._read(entry, offset)

    def _read(self, entry: Entry, offset: int) -> bytes:
        blob = self._container.read(offset, entry.length)
        if not isinstance(entry, Alias) and zlib.crc32(blob) != entry.checksum:
            raise ArtifactError(f"{entry.name} is damaged (its checksum differs)")
        return blob


@contextmanager
def open_reader(path: str | Path) -> Iterator[Reader]:
    """The reader of a file; every ArtifactError in its ``with`` block is given the file's name."""
    try:
        with open_container(Path(path)) as container:
            index = decode_index(container.index, container.version)
            if index.payload_length != container.blobs_length:
                raise ArtifactError("the index does not fit the payload")
            yield Reader(index, container)
    except ArtifactError as error:
        raise type(error)(f"{path}: {error}") from error


def decode_tensor(entry: Exact | Quantized, blob: bytes) -> Tensor:
    """The tensor of an entry; ArtifactError with its name if the bytes are not one."""
    try:
        if isinstance(entry, Exact):
            return plain.decode(blob, entry.dtype, entry.shape)
        codebook, coded = split(entry, blob)
        del blob  # while the weights are made, only what they are made of is held
        kept = decode_kept(entry, codebook, coded)
        del coded
        return to_weights(kept, codebook, entry.shape, entry.dtype)
    except DQCError as error:
        raise ArtifactError(f"{entry.name}: {error}") from error


def split(entry: Quantized, blob: bytes) -> tuple[Codebook, Coded]:
    """The codebook and the two streams in the bytes of a quantized tensor."""
    streams = entry.codebook_length
    indices = streams + entry.positions_length
    return records.decode(blob[:streams]), Coded(blob[streams:indices], blob[indices:])


def decode_kept(entry: Quantized, codebook: Codebook, coded: Coded) -> Decoded:
    """The indices of a quantized tensor, by the coder that the file names."""
    coder: Coder = lookup("coder", entry.coder).load()
    return coder.decode(coded, math.prod(entry.shape), entry.kept, codebook.size)
