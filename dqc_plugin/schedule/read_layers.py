"""``layers:`` of a stage: for each selector the options that these layers get, or that they are left out."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from dqc_plugin.schedule.keys import keep_known, nested_keys
from dqc_plugin.schedule.merge import Data, overlay
from dqc_plugin.schedule.problems import Keys, Problems
from dqc_plugin.schedule.stages import SKIP, per_layer_keys
from dqc_plugin.schedule.validate import validate
from dqc_plugin.schedule.wording import shown

PATTERN = "re:"


def read_layers(
    data: Any, model: type[BaseModel], stage: Data, stage_keys: Keys, problems: Problems, stage_is_valid: bool = True
) -> dict[str, BaseModel | None]:
    """Selector -> complete options (the stage's with the overrides), None where the layer is left out.

    stage_is_valid: False if the stage's own options are wrong and have been told.
    """
    keys: Keys = (*stage_keys, "layers")
    if not isinstance(data, dict):
        problems.add(keys, f"must be a mapping from layers to options, not {shown(data)}")
        return {}
    rules = {}
    for selector, rule in data.items():
        _check_pattern(selector, (*keys, selector), problems)
        rules[selector] = _read_rule(rule, model, stage, (*keys, selector), problems, stage_is_valid)
    return rules


def _check_pattern(selector: str, keys: Keys, problems: Problems) -> None:
    if selector.startswith(PATTERN):
        try:
            re.compile(selector.removeprefix(PATTERN))
        except re.error as error:
            problems.add(keys, f"is not a valid regular expression: {error}")


def _read_rule(
    rule: Any, model: type[BaseModel], stage: Data, keys: Keys, problems: Problems, stage_is_valid: bool
) -> BaseModel | None:
    if rule in (SKIP, {SKIP: True}):
        return None
    if not isinstance(rule, dict):
        problems.add(keys, f"must be 'skip' or a mapping of options, not {shown(rule)}")
        return None
    if SKIP in rule:
        problems.add((*keys, SKIP), "must be true and stand alone: a layer is either left out or has options")
        return None
    overridable = per_layer_keys(model)
    for key in (key for key in rule if key in model.model_fields and key not in overridable):
        problems.add((*keys, key), "holds for the whole stage; set it beside 'layers'")
    free = {key: value for key, value in rule.items() if key in overridable or key not in model.model_fields}
    own = keep_known(free, [*overridable, SKIP], keys, problems, nested_keys(model))
    # What is wrong with the stage's own options is told there, not again for each layer.
    elsewhere = keys if stage_is_valid else None
    return validate(
        model, overlay(stage, own), problems, lambda inner: (*keys, *inner) if inner[0] in own else elsewhere
    )
