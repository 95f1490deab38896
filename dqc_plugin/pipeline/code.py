"""The coder stage: the compressed file, loaded back and compared with the network in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dqc_plugin.artifact import load, save, verify
from dqc_plugin.codebooks import Record, SharedValues
from dqc_plugin.errors import RunError
from dqc_plugin.pipeline.context import Context
from dqc_plugin.pipeline.evaluate import Batch, same_outputs
from dqc_plugin.pipeline.fold_batch_norm import fold_batch_norm
from dqc_plugin.pipeline.state import NetworkState
from dqc_plugin.pipeline.unused import zero_unused
from dqc_plugin.schedule import CoderStage

_MOST_VALUES = 256
_BATCH = 500
_FEW = 16  # whose features of all layers fit the memory


def run_coder(context: Context, stage: CoderStage, state: NetworkState) -> tuple[NetworkState, dict[str, Any]]:
    """Write the file and prove it: checksums, every output equal. The network in it, and a record of its bytes.

    Raises RunError if the network that the file gives is not the one in memory.
    """
    path = context.folder.path / stage.file
    state = _without_surplus(context, stage, state)
    _, state = write_file(path, stage, state)
    verify(path)
    in_memory = state.into(context.make_model())
    loaded: nn.Module = load(path, into=context.make_model())
    if not same_outputs(in_memory, loaded, context.evaluation):
        raise RunError(f"{path}: the network in the file does not give the outputs of the network in memory")
    dense = sum(value.numel() * value.element_size() for value in state.weights.values())
    size = path.stat().st_size
    return state, {
        "file": stage.file,
        "bytes": size,
        "dense_bytes": dense,
        "ratio": round(dense / size, 3),
        "same_outputs": True,
        "metric": context.metric(loaded, context.evaluation),
    }


def _without_surplus(context: Context, stage: CoderStage, state: NetworkState) -> NetworkState:
    """The network without the numbers that its outputs can do without, as far as the stage says."""
    if stage.batch_norm == "fold":
        inputs, fixed = context.placed(next(_images(context))[0][:_FEW]), _quantized_names(codebook_records(state))
        weights = fold_batch_norm(state.weights, state.into(context.make_model()), inputs, fixed)
        state = replace(state, weights=weights)
    if stage.unused == "zero":
        weights = zero_unused(state.weights, state.into(context.make_model()), _images(context))
        state = replace(state, weights=weights)
    return state


def _images(context: Context) -> Iterator[Batch]:
    return context.training_data(_BATCH).epoch(context.schedule.seed, 0)


def coded_bytes(stage: CoderStage, state: NetworkState) -> int:
    """The size of the file that a coder stage would write of a network."""
    with tempfile.TemporaryDirectory() as folder:
        return write_file(Path(folder) / stage.file, stage, state)[0].stat().st_size


def write_file(path: Path, stage: CoderStage, state: NetworkState) -> tuple[Path, NetworkState]:
    """The file of a network, and the network that is in it: floats rounded where the stage says so."""
    records = codebook_records(state)
    if stage.unquantized == "bfloat16":
        state = replace(state, weights=_rounded(state.weights, records))
    return save(path, state.weights, records, coder=stage.name), state


def _rounded(weights: dict[str, Tensor], records: dict[str, dict[str, Record]]) -> dict[str, Tensor]:
    """The weights, those without a codebook as bfloat16 holds them, in their own dtype."""
    quantized = _quantized_names(records)
    rounded = {name for name, value in weights.items() if value.is_floating_point() and name not in quantized}
    return {n: value.bfloat16().to(value.dtype) if n in rounded else value for n, value in weights.items()}


def _quantized_names(records: dict[str, dict[str, Record]]) -> set[str]:
    return {f"{layer}.{target}" for layer, targets in records.items() for target in targets}


def codebook_records(state: NetworkState) -> dict[str, dict[str, Record]]:
    """The codebooks of the quantized weights, ``{layer: {"weight": record}}``.

    Quantizers that know nothing of codebooks (NNI's own) leave at most 256 values too: these are the codebook. A
    weight with more values is left out: the file keeps it as floats.
    """
    found: dict[str, dict[str, Record]] = {}
    for layer, records in state.calibration.items():
        for target, record in records.items():
            if "codebook" not in record:
                values = torch.unique(state.weights[f"{layer}.{target}"].float())
                if len(values) > _MOST_VALUES:
                    continue
                record = SharedValues(values).to_record()
            found.setdefault(layer, {})[target] = record
    return found
