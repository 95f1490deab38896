"""Which layers of a network a stage takes, and the options that each of them gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from torch import nn
from torch.nn.modules.conv import _ConvNd

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.problems import Problems
from dqc_plugin.schedule.read_layers import PATTERN
from dqc_plugin.schedule.stages import CompressStage

_SHOWN_LAYERS = 8
_NAME, _PATTERN, _TYPE = range(3)


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer; its weight is what is pruned and quantized."""

    name: str
    module: nn.Module

    @property
    def type(self) -> str:
        return type(self.module).__name__

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.module.weight.shape)  # type: ignore[union-attr, arg-type]


def compressible_layers(model: nn.Module) -> list[Layer]:
    """All convolutions (transposed ones too) and linear layers in the model's order; a shared module once."""
    return [Layer(name, module) for name, module in model.named_modules() if isinstance(module, (_ConvNd, nn.Linear))]


def stage_settings(stage: CompressStage, model: nn.Module) -> dict[str, BaseModel]:
    """The options of each layer that a pruner or quantizer stage takes, by layer name.

    A layer gets the rule of its exact name, else of the ``re:`` pattern that its whole name matches, else of its type,
    else the stage's options. Raises ScheduleError for a selector that matches no layer, for two patterns that
    disagree about one, for a pruned layer without a sparsity and for a stage that leaves out every layer.
    """
    problems = Problems(stage.origin)
    settings = find_settings(stage, compressible_layers(model), problems)
    problems.raise_if_any()
    return settings


def find_settings(stage: CompressStage, layers: Sequence[Layer], problems: Problems) -> dict[str, BaseModel]:
    """As :func:`stage_settings`, but adds the problems."""
    _check_selectors(stage, layers, problems)
    chosen = {layer.name: _choose(stage, layer, problems) for layer in layers}
    settings = {name: options for name, options in chosen.items() if options is not None}
    if not layers:
        problems.add(stage.origin.root, "the model has no convolution or linear layer")
    elif not settings:
        problems.add(stage.origin.root, "every layer is left out; take the stage away")
    bare = [name for name, options in settings.items() if getattr(options, "sparsity", 0.0) is None]
    if bare:
        problems.add((*stage.origin.root, "sparsity"), f"is required: no rule gives one to {_some(bare)}")
    return settings


def _choose(stage: CompressStage, layer: Layer, problems: Problems) -> BaseModel | None:
    matching: Mapping[str, BaseModel | None] = {
        selector: rule for selector, rule in stage.layers.items() if _matches(selector, layer) is not None
    }
    ranks = {selector: _matches(selector, layer) for selector in matching}
    best = [selector for selector in matching if ranks[selector] == min(filter(None.__ne__, ranks.values()))]
    for other in best[1:]:
        if matching[other] != matching[best[0]]:
            text = f"and {best[0]!r} both match layer {layer.name!r} but disagree; narrow one, or name the layer"
            problems.add((*stage.origin.root, "layers", other), text)
    return matching[best[0]] if best else stage.options
