"""Modules whose weights their parent reads without calling them, so that NNI's wrapper would never be asked.

``nn.MultiheadAttention`` reads the weight of its ``out_proj``; ``nn.TransformerEncoderLayer`` has a fast path in
evaluation that reads those of all its parts. A hook before the parent's forward pass mends both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from dqc_plugin.quantizers.lean_wrapper import set_parameters


def hook_parents(model: nn.Module) -> None:
    """Hook the parents of wrapped modules that need it."""
    unhook_parents(model)
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention) and _is_wrapped(module.out_proj):
            module.register_forward_pre_hook(_set_out_proj)
        if isinstance(module, nn.TransformerEncoderLayer) and any(map(_is_wrapped, module.modules())):
            module.register_forward_pre_hook(_take_the_slow_path)


def unhook_parents(model: nn.Module) -> None:
    """Take these hooks away."""
    for module in model.modules():
        hooks: dict[int, Callable[..., Any]] = module._forward_pre_hooks
        for number in [number for number, hook in hooks.items() if hook in (_set_out_proj, _take_the_slow_path)]:
            del hooks[number]


def _is_wrapped(module: nn.Module) -> bool:
    return hasattr(module, "_nni_wrapper")


def _set_out_proj(attention: nn.MultiheadAttention, _: Any) -> None:
    wrapper = getattr(attention.out_proj, "_nni_wrapper", None)
    if wrapper is not None:
        set_parameters(wrapper)  # type: ignore[arg-type]


def _take_the_slow_path(layer: nn.TransformerEncoderLayer, _: Any) -> None:
    """Being there is enough: torch's fast path gives way to hooks."""
