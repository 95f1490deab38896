"""How far an NNI compressor has come: what it keeps in attributes and settings, beside the model's state."""

from __future__ import annotations

from typing import Any

from nni.compression.base.compressor import Compressor
from torch import Tensor, nn

Progress = list[dict[str, Any]]
_SPARSITY = ("sparse_ratio", "sparse_threshold", "max_sparse_ratio", "min_sparse_ratio")


def save_progress(compressor: Compressor) -> Progress:
    """Counters, flags, sparsity goals and own optimizers of a compressor and those fused with it: plain data."""
    return [_save(part) for part in _parts(compressor)]


def load_progress(compressor: Compressor, progress: Progress) -> None:
    """Put back what :func:`save_progress` gave, into compressors built in the same way."""
    for part, saved in zip(_parts(compressor), progress, strict=True):
        vars(part).update(saved["counters"])
        for (name, target), goals in saved["goals"]:
            part._target_spaces[name][target]._setting.update(goals)
        if saved["optimizer"] is not None:
            part.scores_optimizer.load_state_dict(saved["optimizer"])


def load_model_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """``load_state_dict``, for buffers too that NNI holds as None until they are first used."""
    for name in state.keys() - model.state_dict().keys():
        owner, _, buffer = name.rpartition(".")
        model.get_submodule(owner).register_buffer(buffer, state[name].clone())
    model.load_state_dict(state)


def _parts(compressor: Compressor) -> list[Any]:
    parts = list(compressor.fused_compressors)
    return parts + [part.bound_pruner for part in parts if hasattr(part, "bound_pruner")]


def _save(part: Any) -> dict[str, Any]:
    optimizer = getattr(part, "scores_optimizer", None)
    return {
        "counters": {name: value for name, value in vars(part).items() if type(value) in (int, bool)},
        "goals": [
            ((name, target), {key: space._setting[key] for key in _SPARSITY if key in space._setting})
            for name, spaces in part._target_spaces.items()
            for target, space in spaces.items()
        ],
        "optimizer": None if optimizer is None else optimizer.state_dict(),
    }
