"""NNI's search space from the keys bits, zero and sparsity, narrowed by the sensitivity profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from dqc_plugin.errors import ConfigError
from dqc_plugin.schedule import Schedule, build_model, compressible_layers, stage_settings
from dqc_plugin.schedule.layers import select
from dqc_plugin.search.config import Choices, SearchKeys
from dqc_plugin.search.sensitivity import Profile
from dqc_plugin.search.space import SearchSpace, parameter_layer, pruner_stage, quantizer_stage

_NO_GAIN = 1e-4  # of cross entropy: less is noise


def make_space(schedule: Schedule, keys: SearchKeys, profile: Profile | None) -> SearchSpace:
    """A choice for every layer and key that may vary; ConfigError for a selector that matches no layer."""
    model = build_model(schedule)
    space: SearchSpace = {}
    for key in ("bits", "zero", "sparsity"):
        choices: Choices | None = getattr(keys, key)
        if choices is None:
            continue
        if choices.together and not choices.layers:
            space[key] = _choice(choices.choices)
            continue
        for layer in _layers(schedule, key, choices, model):
            values = _useful(layer, choices.choices, profile) if key == "bits" and keys.narrow else choices.choices
            space[f"{layer}.{key}"] = _choice(values)
    return space


def _choice(values: Sequence[Any]) -> dict[str, Any]:
    return {"_type": "choice", "_value": list(values)}


def _layers(schedule: Schedule, key: str, choices: Choices, model: nn.Module) -> list[str]:
    stage = (pruner_stage(schedule) if key == "sparsity" else quantizer_stage(schedule))[1]
    taken = {parameter_layer(parameter) for parameter in stage_settings(stage, model)}
    layers = [layer for layer in compressible_layers(model) if layer.name in taken]
    if not choices.layers:
        return [layer.name for layer in layers]
    found = {selector: select(selector, layers) for selector in choices.layers}
    for selector, matched in found.items():
        if not matched:
            names = ", ".join(layer.name for layer in layers)
            raise ConfigError(f"{key}.layers: {selector!r} matches no layer of the stage; layers: {names}")
    chosen = {layer.name for matched in found.values() for layer in matched}
    return [layer.name for layer in layers if layer.name in chosen]


def _useful(layer: str, values: Sequence[Any], profile: Profile | None) -> list[Any]:
    """The bit widths that no smaller one of fewer bytes equals in loss."""
    rows = {row.bits: row for row in profile.rows if row.layer == layer} if profile else {}
    kept: list[Any] = []
    for bits in sorted(values):
        least = min((rows[other].loss_change for other in kept if other in rows), default=None)
        if bits not in rows or least is None or rows[bits].loss_change < least - _NO_GAIN:
            kept.append(bits)
    return kept
