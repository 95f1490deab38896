"""From tensors to a file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dqc_plugin.artifact import container, plain, records
from dqc_plugin.artifact.index import Alias, Entry, Exact, Index, Quantized, encode_metadata
from dqc_plugin.artifact.index import encode as encode_index
from dqc_plugin.artifact.quantized import to_indices
from dqc_plugin.codebooks import Record, from_record
from dqc_plugin.coding import Coder
from dqc_plugin.errors import ArtifactError, DQCError, did_you_mean
from dqc_plugin.registry import lookup

_BYTES_IN_MEMORY, _PART = 1 << 26, 1 << 20
Calibration = Mapping[str, Mapping[str, Record]]


def save(
    path: str | Path,
    network: nn.Module | Mapping[str, Tensor],
    calibration_config: Calibration,
    coder: str = "huffman",
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a network to a file and return its path; the file appears whole or not at all.

    network: an exported model or its state dict. Every tensor comes back bit for bit, its zeros in quantized tensors
        as +0.0; tensors that share memory are stored once. A mapping that is no dict may make each tensor as it is
        asked for: only one at a time is held, and none is looked at for shared memory.
    calibration_config: ``{layer: {target: codebook record}}`` of the quantized tensors, ``{"conv1": {"weight": ...}}``.
    coder: name of a registered coder, for the quantized tensors.
    metadata: a small mapping that JSON can hold.

    Raises ArtifactError, and writes nothing, for a tensor that is not on its codebook or cannot be stored, a record
    without a tensor, or a path that cannot be written.
    """
    path = Path(path)
    tensors = network.state_dict() if isinstance(network, nn.Module) else network
    encode_metadata(metadata or {})  # before anything is encoded, which takes long
    records_of = _records_by_key(tensors, calibration_config)
    with SpooledTemporaryFile(_BYTES_IN_MEMORY, dir=str(path.parent)) as blobs:  # the index comes before them
        entries = [_spool(entry, blob, blobs) for entry, blob in _encode(tensors, records_of, coder)]
        index = Index(tuple(entries), metadata or {})
        blobs.seek(0)
        container.write(path, encode_index(index), iter(lambda: blobs.read(_PART), b""), index.payload_length)
    return path


def _spool(entry: Entry, blob: bytes, blobs: IO[bytes]) -> Entry:
    try:
        blobs.write(blob)
    except OSError as error:
        raise ArtifactError(f"{entry.name} cannot be written ({error.strerror})") from error
    return entry


def _records_by_key(tensors: Mapping[str, Tensor], calibration: Calibration) -> dict[str, Record]:
    by_key = {
        f"{layer}.{target}" if layer else target: record
        for layer, targets in calibration.items()
        for target, record in targets.items()
    }
    for key, record in by_key.items():
        if not isinstance(record, Mapping):
            raise ArtifactError(
                f"{key}: its codebook in the calibration config is {type(record).__name__}, not a mapping"
            )
        if key not in tensors:
            raise ArtifactError(
                f"the calibration config has a codebook for {key}, which the network does not have"
                f"{did_you_mean(key, tensors)}; save an exported model, without NNI's wrappers"
            )
    return by_key


def _encode(
    tensors: Mapping[str, Tensor], records_of: Mapping[str, Record], coder: str
) -> Iterator[tuple[Entry, bytes]]:
    owners = _owners(tensors) if isinstance(tensors, dict) else {name: name for name in tensors}
    record_of_owner = {owners[name]: record for name, record in records_of.items()}
    for name, tensor in tensors.items():
        if owners[name] != name:
            yield Alias(name, owners[name]), b""
            continue
        _require_tensor(name, tensor)
        try:
            record = record_of_owner.get(name)
            yield _exact(name, tensor) if record is None else _quantized(name, tensor, record, coder)
        except DQCError as error:
            raise ArtifactError(f"{name}: {error}") from error


def _owners(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """The first name of the memory behind each name."""
    first: dict[Any, str] = {}
    return {name: first.setdefault(_identity(name, tensor), name) for name, tensor in tensors.items()}


def _require_tensor(name: object, tensor: object) -> None:
    if not isinstance(name, str):
        raise ArtifactError(f"a tensor has the name {name!r}; names must be text")
    if not isinstance(tensor, Tensor):
        raise ArtifactError(f"{name} is of type {type(tensor).__name__}; only tensors can be stored")
    if is_lazy(tensor):
        raise ArtifactError(
            f"{name} has no values yet; run the network once, so that its lazy layers know their shapes"
        )


def _identity(name: str, tensor: Tensor) -> Any:
    _require_tensor(name, tensor)
    if tensor.is_meta or not tensor.numel() or tensor.layout is not torch.strided:
        return name
    return (
        tensor.data_ptr(),
        tensor.device,
        tensor.dtype,
        tensor.shape,
        tensor.stride(),
        tensor.is_conj(),
        tensor.is_neg(),
    )


def _exact(name: str, tensor: Tensor) -> tuple[Entry, bytes]:
    blob = plain.encode(tensor)
    return Exact(name, tensor.dtype, tuple(tensor.shape), len(blob), zlib.crc32(blob)), blob


def _quantized(name: str, tensor: Tensor, record: Record, coder_name: str) -> tuple[Entry, bytes]:
    coder: Coder = lookup("coder", coder_name).load()
    codebook = from_record({key: value.cpu() if isinstance(value, Tensor) else value for key, value in record.items()})
    table = records.encode(codebook)
    kept = to_indices(tensor, codebook)
    coded = coder.encode(kept, codebook.size)
    blob = table + coded.positions + coded.indices
    entry = Quantized(
        name,
        tensor.dtype,
        tuple(tensor.shape),
        coder_name,
        kept=len(kept.indices),
        codebook_length=len(table),
        positions_length=len(coded.positions),
        indices_length=len(coded.indices),
        checksum=zlib.crc32(blob),
    )
    return entry, blob
