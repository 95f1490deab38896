"""Reading the tensors of a file one by one."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dqc_plugin.artifact import container, plain, records
from dqc_plugin.artifact.index import Exact, Index, Quantized
from dqc_plugin.artifact.index import decode as decode_index
from dqc_plugin.artifact.quantized import to_weights
from dqc_plugin.codebooks import Codebook
from dqc_plugin.coding import Coded, Coder, KeptIndices
from dqc_plugin.errors import ArtifactError, DQCError
from dqc_plugin.registry import lookup


@dataclass(frozen=True)
class StoredWeights:
    """A quantized tensor as the file holds it: its codebook, its coded streams and what they decode to."""

    codebook: Codebook
    coded: Coded
    kept: KeptIndices


@dataclass(frozen=True)
class Reader:
    """An open file with a sound header and index."""

    index: Index
    _container: container.Container

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every name with its tensor on the CPU, one decoded at a time; aliases give the same tensor object."""
        shared = {entry.of for entry in self.index.entries if isinstance(entry, Alias)}
        done: dict[str, Tensor] = {}
        for entry, offset in self.index.with_offsets():
            ...
