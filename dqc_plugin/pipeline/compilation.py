"""torch.compile for the forward pass of the training step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dqc_plugin.errors import ConfigError


def compiled(model: nn.Module, device: torch.device) -> nn.Module:
    """The model, compiled; on a GPU as CUDA graphs, which launch all kernels of a pass at once.

    What was compiled before is forgotten: torch keeps only a few versions of a forward pass, and each stage brings one.
    """
    torch.compiler.reset()
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    return torch.compile(model, mode=mode, dynamic=False)  # type: ignore[return-value]


def require_compiler(device: torch.device) -> None:
    """Raise ConfigError unless torch.compile works here, before anything is trained."""
    try:
        torch.compile(_probe)(torch.ones(2, device=device))
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        needed = "Triton" if device.type == "cuda" else "a C++ compiler such as g++"
        raise ConfigError(
            f"compile: true needs {needed} on this machine ({reason}); install it, or drop the key"
        ) from None


def _probe(values: Tensor) -> Tensor:
    return values + 1
