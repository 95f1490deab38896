"""NNI's settings for kinds of modules that it does not know: embeddings, attentions, a user's own."""

from __future__ import annotations

from typing import Any

from nni.compression.base.setting import ModuleSetting, PruningSetting, QuantizationSetting
from torch import nn

_BY_KIND: tuple[tuple[type[ModuleSetting], dict[str, Any]], ...] = (
    (QuantizationSetting, QuantizationSetting.default_setting["weight"]),
    (PruningSetting, PruningSetting.embedding_setting["weight"]),
)


def register_modules(model: nn.Module) -> None:
    """Let NNI prune and quantize every parameter of two or more dimensions in the model, under its own name.

    What NNI has settings for keeps them. Its registry is global, and knows modules by the name of their class.
    """
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.dim() > 1:
                _register(type(module).__name__, name)


def _register(kind: str, parameter: str) -> None:
    for registry, setting in _BY_KIND:
        known = registry.registry.get(kind, {})
        if parameter not in known:
            registry.register(kind, {**known, parameter: setting})
