"""Other bits for one layer of NNI's ``config_list``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nni.compression.base.config import select_modules_by_config
from torch import nn

from dqc_plugin.errors import ConfigError

Config = dict[str, Any]
_SELECTORS = ("op_names", "op_types", "op_names_re", "exclude_op_names", "exclude_op_types", "exclude_op_names_re")


def change_layers(config_list: Sequence[Config], changes: Mapping[str, Any]) -> list[Config]:
    """The config_list with ``bits`` and settings such as ``zero`` changed in every entry."""
    return [_changed(entry, changes) for entry in config_list]


def change_layer(
    model: nn.Module, config_list: Sequence[Config], layer: str, changes: Mapping[str, Any]
) -> list[Config]:
    """The same for one layer, which gets an entry of its own; ConfigError if no entry selects it."""
    chosen = [entry for entry in config_list if layer in select_modules_by_config(model, entry)[0]]
    if not chosen:
        raise ConfigError(f"{layer}: no entry of the config_list selects this layer")
    own = {key: value for key, value in chosen[-1].items() if key not in _SELECTORS}
    others = [{**entry, "exclude_op_names": [*entry.get("exclude_op_names", ()), layer]} for entry in config_list]
    kept = [entry for entry in others if select_modules_by_config(model, entry)[0]]
    return [*kept, _changed({**own, "op_names": [layer]}, changes)]


def _changed(entry: Config, changes: Mapping[str, Any]) -> Config:
    changed = dict(entry)
    if "bits" in changes:
        changed["quant_dtype"] = f"int{changes['bits']}"
    settings = {key: value for key, value in changes.items() if key != "bits"}
    if settings:
        given = entry.get("target_settings", {})
        names = entry.get("target_names", ["weight"])
        changed["target_settings"] = {**given, **{name: {**given.get(name, {}), **settings} for name in names}}
    return changed
