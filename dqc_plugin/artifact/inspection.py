"""Measuring a file."""

from __future__ import annotations

import math
from pathlib import Path

from dqc_plugin.artifact.dtypes import name_of
from dqc_plugin.artifact.index import Alias, Exact, Quantized
from dqc_plugin.artifact.reader import Reader, decode_kept, open_reader, split
from dqc_plugin.artifact.report import LayerRow, OtherRow, Report, Sizes
from dqc_plugin.codebooks import Codebook
from dqc_plugin.coding import Coded, KeptIndices, entropy
from dqc_plugin.coding.coders import HasPlainSize, PlainSize, packed
from dqc_plugin.coding.packed import packed_length, width_of
from dqc_plugin.errors import ArtifactError, DQCError
from dqc_plugin.registry import lookup

_FLOAT32_BYTES = 4


def inspect(path: str | Path) -> Report:
    """The report of a file; decodes the indices of every quantized tensor. Raises ArtifactError as ``load`` does."""
    with open_reader(path) as reader:
        layers = tuple(_layer(entry, blob) for entry, blob in reader.blobs() if isinstance(entry, Quantized))
        size = Path(path).stat().st_size
        return Report(str(path), reader.version, size, reader.index.metadata, layers, _others(reader))


def _layer(entry: Quantized, blob: bytes) -> LayerRow:
    try:
        codebook, coded = split(entry, blob)
        kept = decode_kept(entry, codebook, coded).ascending()
    except DQCError as error:
        raise ArtifactError(f"{entry.name}: {error}") from error
    return LayerRow(
        name=entry.name,
        shape=entry.shape,
        dtype=name_of(entry.dtype),
        codebook=str(codebook.to_record()["codebook"]),
        granularity="per_tensor" if codebook.codewords.dim() == 1 else "per_channel",
        bits=width_of(codebook.size),
        codebook_size=codebook.size,
        coder=entry.coder,
        sizes=_sizes(entry, codebook, coded, kept),
    )


def _sizes(entry: Quantized, codebook: Codebook, coded: Coded, kept: KeptIndices) -> Sizes:
    plain = _plain_size(entry, codebook, kept)
    per_entry = 8 / max(plain.entries, 1)
    return Sizes(
        weights=kept.size,
        kept=entry.kept,
        entries=plain.entries,
        entropy=entropy(kept.indices),
        index_bits_quantized=plain.index_bits,
        index_bits_coded=len(coded.indices) * per_entry,
        position_bits_quantized=plain.positions * per_entry,
        position_bits_coded=len(coded.positions) * per_entry,
        bytes_dense=kept.size * _FLOAT32_BYTES,
        bytes_pruned=plain.entries * _FLOAT32_BYTES + plain.positions,
        bytes_quantized=entry.codebook_length + plain.positions + packed_length(plain.entries, plain.index_bits),
        bytes_coded=entry.length,
    )


def _plain_size(entry: Quantized, codebook: Codebook, kept: KeptIndices) -> PlainSize:
    coder = lookup("coder", entry.coder).load()
    if isinstance(coder, HasPlainSize):
        return coder.plain_size(kept, codebook.size)
    return PlainSize(entry.kept, len(packed.encode(kept, codebook.size).positions), width_of(codebook.size))


def _others(reader: Reader) -> tuple[OtherRow, ...]:
    tensors = {entry.name: entry for entry in reader.index.entries if not isinstance(entry, Alias)}
    rows = []
    for entry in reader.index.entries:
        if isinstance(entry, Alias):
            rows.append(_other(entry.name, tensors[entry.of], same_as=entry.of))
        elif isinstance(entry, Exact):
            rows.append(_other(entry.name, entry))
    return tuple(rows)


def _other(name: str, entry: Exact | Quantized, same_as: str | None = None) -> OtherRow:
    elements = math.prod(entry.shape)
    width = _FLOAT32_BYTES if entry.dtype.is_floating_point else entry.dtype.itemsize
    dense, stored = (0, 0) if same_as else (elements * width, entry.length)
    return OtherRow(name, entry.shape, name_of(entry.dtype), elements, dense, stored, same_as)
