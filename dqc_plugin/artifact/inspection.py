"""Measuring a file."""

from __future__ import annotations

import math
from pathlib import Path

from dqc_plugin.artifact.container import VERSION
from dqc_plugin.artifact.dtypes import name_of
from dqc_plugin.artifact.index import Alias, Entry, Exact, Quantized
from dqc_plugin.artifact.reader import decode_kept, open_reader, split
from dqc_plugin.artifact.report import LayerRow, OtherRow, Report, Sizes
from dqc_plugin.coding import Coded, KeptIndices, entropy
from dqc_plugin.coding.coders import packed
from dqc_plugin.coding.packed import packed_length, width_of
from dqc_plugin.errors import ArtifactError, DQCError

_FLOAT32_BYTES = 4


def inspect(path: str | Path) -> Report:
    """The report of a file; decodes the indices of every quantized tensor. Raises ArtifactError as ``load`` does."""
    layers: list[LayerRow] = []
    others: dict[str, OtherRow] = {}
    with open_reader(path) as reader:
        for entry, blob in reader.blobs():
            if isinstance(entry, Quantized):
                layers.append(_layer(entry, blob))
            else:
                others[entry.name] = _other(entry, {row.name: row for row in layers}, others)
        return Report(str(path), VERSION, Path(path).stat().st_size, reader.index.metadata, tuple(layers),
                      tuple(others.values()))
