"""A compressed network written for those who do not have this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dqc_plugin.artifact import load
from dqc_plugin.errors import ExportError
from dqc_plugin.replacing import replacing

Inputs = Tensor | tuple[Tensor, ...]


def export(file: str | Path, out: str | Path, *, model: nn.Module | None = None, inputs: Inputs | None = None) -> Path:
    """Write the network of a compressed file as ``out``: .onnx, .safetensors or .pt (a state dict) by its ending.

    model, inputs: for ONNX, the module that the weights belong to and inputs for one call of it, batch dimension
        first; the batch size stays free.
    Raises ArtifactError for a damaged file, ExportError for an ending that is none of these, for ONNX without model
    and inputs, or without the packages of ``pip install "dqc-plugin[onnx]"``. An ``out`` that is there is replaced.
    """
    path = Path(out)
    if path.suffix == ".onnx":
        if model is None or inputs is None:
            raise ExportError(f"{path}: ONNX needs the network, not its weights alone: give model and inputs")
        return export_onnx(load(file, into=model), inputs, path)
    if path.suffix not in _WRITERS:
        raise ExportError(f"{path}: unknown ending {path.suffix!r}; use .onnx, .safetensors, .pt or .pth")
    return _replaced(path, lambda beside: _WRITERS[path.suffix](load(file), beside))


def export_onnx(model: nn.Module, inputs: Inputs, out: str | Path) -> Path:
    """Write a network as ONNX; weights with at most 256 values as a table and indices where that is smaller.

    inputs: for one call, batch dimension first (at least 2); the batch size stays free. Outputs equal torch's within
    what another order of sums allows. Raises ExportError for a network that torch cannot export, and without the
    packages it needs.
    """
    try:
        from dqc_plugin.export.onnx import write_onnx
    except ModuleNotFoundError as error:
        raise ExportError(f'{out}: {error.name} is not installed; pip install "dqc-plugin[onnx]"') from None
    given = (inputs,) if isinstance(inputs, Tensor) else inputs
    return _replaced(Path(out), lambda beside: write_onnx(model, given, beside))


def _replaced(path: Path, write: Callable[[Path], None]) -> Path:
    """The path, written beside and renamed: a kill leaves the old file or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.touch()  # torch and safetensors have errors of their own for a folder that takes no files
            mode = beside.stat().st_mode
            write(beside)
            beside.chmod(mode)  # safetensors' are for their owner alone
    except OSError as error:
        raise ExportError(f"{path}: cannot write: {error.strerror}") from None
    return path


def _save_safetensors(weights: dict[str, Tensor], path: Path) -> None:
    save_file({name: value.contiguous().clone() for name, value in weights.items()}, path)


_WRITERS: dict[str, Callable[[dict[str, Tensor], Path], None]] = {
    ".safetensors": _save_safetensors,
    ".pt": lambda weights, path: torch.save(weights, path),
    ".pth": lambda weights, path: torch.save(weights, path),
}
