"""What a file holds, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_LAYER_FIGURES = (
    "kept_share", "rate_pruned", "rate_quantized", "rate_coded", "effective_bits_per_weight", "ratio",
)  # fmt: skip
_TOTALS = (
    "weights", "kept", "entries", "entropy", "index_bits_quantized", "index_bits_coded", "position_bits_quantized",
    "position_bits_coded", "bytes_dense", "bytes_pruned", "bytes_quantized", "bytes_coded", *_LAYER_FIGURES,
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """Weights and bytes, with the columns of Deep Compression's tables (Han et al. 2016, tables 2 to 5).

    weights, kept: weights in all, and those that are not zero.
    entries: kept weights, and the filler zeros between them that a coder gives a value (``deep_compression``).
    entropy: order-0 entropy of the kept weights' indices, bits each.
    index_bits_quantized, index_bits_coded: bits per entry for its index, the index width and as stored (their
        "weight bits").
    position_bits_quantized, position_bits_coded: bits per entry for its position, as narrow gaps or a mask (in
        ``deep_compression`` its field), and as stored (their "index bits").
    bytes_dense, bytes_pruned, bytes_quantized, bytes_coded: as float32; with positions and float32 for the entries;
        with positions, indices and the codebook; and as stored.
    """

    weights: int
    kept: int
    entries: int
    entropy: float
    index_bits_quantized: float
    index_bits_coded: float
    position_bits_quantized: float
    position_bits_coded: float
    bytes_dense: int
    bytes_pruned: int
    bytes_quantized: int
    bytes_coded: int

    @property
    def kept_share(self) -> float:
        return _share(self.kept, self.weights)

    @property
    def rate_pruned(self) -> float:
        """Share of the dense bytes after pruning."""
        return _share(self.bytes_pruned, self.bytes_dense)

    @property
    def rate_quantized(self) -> float:
        """Share of the dense bytes after pruning and quantization."""
        return _share(self.bytes_quantized, self.bytes_dense)

    @property
    def rate_coded(self) -> float:
        """Share of the dense bytes after pruning, quantization and coding."""
        return _share(self.bytes_coded, self.bytes_dense)

    @property
    def effective_bits_per_weight(self) -> float:
        """Bits in the file per weight, kept or not."""
        return 8 * _share(self.bytes_coded, self.weights)

    @property
    def ratio(self) -> float:
        """Compression ratio."""
        return _share(self.bytes_dense, self.bytes_coded)


@dataclass(frozen=True)
class LayerRow:
    """A quantized tensor. bits: index width; codebook_size: number of codewords; coder: its registered name."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    codebook: str
    granularity: str
    bits: int
    codebook_size: int
    coder: str
    sizes: Sizes


@dataclass(frozen=True)
class OtherRow:
    """A tensor kept exactly. same_as: the name under which it is stored, if that is not its own."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    elements: int
    bytes_dense: int
    bytes_stored: int
    same_as: str | None = None


@dataclass(frozen=True)
class Report:
    """The tensors of a file. file_bytes: its length on disk; metadata: what the user saved with it."""

    file: str
    version: int
    file_bytes: int
    metadata: Mapping[str, Any]
    layers: tuple[LayerRow, ...]
    others: tuple[OtherRow, ...]

    @property
    def total(self) -> Sizes:
        """All quantized tensors together; figures per kept weight are means over these."""
        return total([row.sizes for row in self.layers])

    @property
    def bytes_dense(self) -> int:
        """The whole network with float32 for floats and other dtypes as they are."""
        return self.total.bytes_dense + sum(row.bytes_dense for row in self.others)

    @property
    def bytes_overhead(self) -> int:
        """What is not a tensor: header, names, shapes, checksums."""
        return self.file_bytes - self.total.bytes_coded - sum(row.bytes_stored for row in self.others)

    @property
    def ratio(self) -> float:
        """Compression ratio: dense float32 bytes over file bytes."""
        return self.bytes_dense / self.file_bytes

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "file": self.file,
            "format_version": self.version,
            "file_bytes": self.file_bytes,
            "bytes_dense": self.bytes_dense,
            "bytes_overhead": self.bytes_overhead,
            "ratio": self.ratio,
            "metadata": dict(self.metadata),
            "layers": [{**_without_sizes(row), **_figures(row.sizes)} for row in self.layers],
            "total": _figures(self.total),
            "others": [asdict(row) for row in self.others],
        }


def total(rows: list[Sizes]) -> Sizes:
    """The sum of rows; per kept weight or per entry, the mean."""
    kept, entries = sum(row.kept for row in rows), sum(row.entries for row in rows)

    def per_entry(field: str) -> float:
        return _share(sum(getattr(row, field) * row.entries for row in rows), entries)

    return Sizes(
        weights=sum(row.weights for row in rows),
        kept=kept,
        entries=entries,
        entropy=_share(sum(row.entropy * row.kept for row in rows), kept),
        index_bits_quantized=per_entry("index_bits_quantized"),
        index_bits_coded=per_entry("index_bits_coded"),
        position_bits_quantized=per_entry("position_bits_quantized"),
        position_bits_coded=per_entry("position_bits_coded"),
        bytes_dense=sum(row.bytes_dense for row in rows),
        bytes_pruned=sum(row.bytes_pruned for row in rows),
        bytes_quantized=sum(row.bytes_quantized for row in rows),
        bytes_coded=sum(row.bytes_coded for row in rows),
    )


def _without_sizes(row: LayerRow) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name != "sizes"}


def _figures(sizes: Sizes) -> dict[str, Any]:
    return {name: getattr(sizes, name) for name in _TOTALS}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
