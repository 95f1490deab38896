"""Which parameters a ``config_list`` means, with NNI's silent cases turned into errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nni.compression.base.config import select_modules_by_config
from nni.compression.base.setting import QuantizationSetting
from nni.compression.base.wrapper import ModuleWrapper
from torch import nn

from dqc_plugin.errors import ConfigError, did_you_mean

Config = dict[str, Any]


def check_selection(model: nn.Module, config_list: list[Config], existed: Mapping[str, ModuleWrapper] | None) -> None:
    """Raise ConfigError for a layer that matches nothing and for a target configured twice, here or before."""
    taken: dict[tuple[str, str], str] = {
        (name, target): "another quantizer"
        for name, wrapper in (existed or {}).items()
        for target in wrapper.quantization_target_spaces
    }
    if any(hasattr(module, "_nni_wrapper") for module in model.modules()):
        raise ConfigError("the model is wrapped by another compressor: use from_compressor, or unwrap_model() first")
    for number, config in enumerate(config_list):
        where = f"config_list[{number}]"
        _check_matches(model, config, where)
        for name, module in select_modules_by_config(model, config)[0].items():
            for target in config["target_names"]:
                _check_target(name, module, target, where)
                if (name, target) in taken:
                    raise ConfigError(f"{where}: {name}.{target} is quantized already, by {taken[name, target]}")
                taken[name, target] = where


def _check_matches(model: nn.Module, config: Config, where: str) -> None:
    modules = dict(model.named_modules(remove_duplicate=False))
    types = {type(module).__name__ for module in modules.values()}
    for name in config.get("op_names", []):
        if name not in modules:
            raise ConfigError(f"{where}: the model has no layer {name!r}{did_you_mean(name, filter(None, modules))}")
    for name in config.get("op_types", []):
        if name not in types:
            raise ConfigError(f"{where}: the model has no layer of type {name!r}{did_you_mean(name, types)}")
    for pattern in config.get("op_names_re", []):
        if not any(re.match(pattern, name) for name in modules):
            layers = ", ".join(filter(None, modules))
            raise ConfigError(f"{where}: no layer's name matches {pattern!r}; the layers: {layers}")
    if not select_modules_by_config(model, config)[0]:
        raise ConfigError(f"{where}: nothing is left after the exclusions")


def _check_target(name: str, module: nn.Module, target: str, where: str) -> None:
    kind = type(module).__name__
    if kind not in QuantizationSetting.registry:
        raise ConfigError(
            f"{where}: {name} is a {kind}, which NNI cannot quantize; exclude it, or register a setting "
            "with nni's QuantizationSetting.register"
        )
    if target.startswith("_"):
        raise ConfigError(f"{where}: {target!r}: codebooks are for parameters (weight, bias), not inputs or outputs")
    if not isinstance(getattr(module, target, None), nn.Parameter):
        raise ConfigError(f"{where}: {name} has no parameter {target!r}")
