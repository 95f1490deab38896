"""Weights to start from: a checkpoint of the user's."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dqc_plugin.errors import RunError, did_you_mean


def starting_weights(path: Path, like: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict in a .safetensors or .pt file, if it fits the model's; nothing is unpickled.

    Raises RunError that names the file and the first entry that does not fit.
    """
    weights = _read(path)
    for name, expected in like.items():
        if name not in weights:
            raise RunError(f"{path}: no entry {name!r} of the model{did_you_mean(name, weights)}")
        if weights[name].shape != expected.shape:
            found, wanted = list(weights[name].shape), list(expected.shape)
            raise RunError(f"{path}: {name} has shape {found}, the model wants {wanted}")
        if not bool(torch.isfinite(weights[name]).all()):
            raise RunError(f"{path}: {name} holds NaN or infinity")
    for name in weights.keys() - like.keys():
        raise RunError(f"{path}: the model has no entry {name!r}{did_you_mean(name, like)}")
    return {name: weights[name].to(expected.dtype) for name, expected in like.items()}


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise RunError(f"{path}: no such checkpoint")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise RunError(f"{path}: not a readable checkpoint: {str(error).splitlines()[0]}") from None
    except Exception as error:  # the unpickler refuses anything but tensors and plain data
        raise RunError(f"{path}: holds more than tensors ({type(error).__name__}); save model.state_dict()") from None
    weights = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise RunError(f"{path}: holds no state dict; save model.state_dict()")
    return weights
